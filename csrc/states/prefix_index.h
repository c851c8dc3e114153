// Finds full, computed pages by their whole prefix.
//
// A registered page has a serial, unique for the life of the index and never used again. A page's key is its
// parent's serial (kRoot for the first page of a prefix), its namespace and its own W tokens. By induction,
// two pages of equal key have equal prefixes, and a key that names a page which is gone can never be met
// again, even if the page's id is reused. The hash only narrows the search: keys are compared token by token.
#pragma once

#include <cstdint>
#include <vector>

#include "base/pages.h"

namespace genlib {

class PrefixIndex {
 public:
  static constexpr uint64_t kRoot = 0;

  // tokens[P * W]: the tokens of every page. Owned by the caller, must outlive the index, and must not change
  // under a registered page. hash_mask: bits of the hash that count; 0 makes all keys collide, which shows in
  // tests that the hash decides nothing.
  PrefixIndex(int32_t num_pages, const int32_t* tokens, uint32_t hash_mask);

  // The registered page with this key, or kNoPage. tokens[W].
  int32_t find(uint64_t parent, uint64_t space, const int32_t* tokens) const;

  // Registers a page under its own tokens. No page of equal key may be registered. Never allocates.
  void insert(int32_t page, uint64_t parent, uint64_t space);
  void erase(int32_t page);

  bool contains(int32_t page) const { return nodes_[page].serial != kRoot; }
  uint64_t serial(int32_t page) const { return nodes_[page].serial; }
  uint64_t parent(int32_t page) const { return nodes_[page].parent; }
  uint64_t space(int32_t page) const { return nodes_[page].space; }
  int32_t size() const { return size_; }

  // Every registered page is found by its own key, and nothing else is listed. O(P).
  void check_integrity() const;

 private:
  struct Node {
    uint64_t serial = kRoot;  // kRoot: not registered
    uint64_t parent = kRoot;
    uint64_t space = 0;
    uint32_t hash = 0;
    int32_t next = kNoPage;  // in the same bucket
  };

  uint32_t hash(uint64_t parent, uint64_t space, const int32_t* tokens) const;

  const int32_t* tokens_;
  std::vector<Node> nodes_;       // [P]
  std::vector<int32_t> buckets_;  // [power of two >= P]: the first page of each chain
  uint32_t hash_mask_;
  uint64_t key_[2];  // random, so that no one can choose tokens that collide
  uint64_t next_serial_ = kRoot + 1;
  int32_t size_ = 0;
};

}  // namespace genlib
