// Page ids: how many hold each, which tokens it stands for, and which is taken next.
//
// A page is in exactly one of three places:
//   live      one or more references
//   released  no reference, but registered: still found by its prefix, and in the LRU list
//   free      no reference, not registered
// The pool never sees keys or values: a page is a number here. One thread uses a pool; there are no locks.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "base/pages.h"
#include "states/prefix_index.h"

namespace genlib {

// More pages are needed than are free or released and not promised to another entry.
struct OutOfPages : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class PagePool {
 public:
  // hash_mask: see PrefixIndex.
  explicit PagePool(int32_t num_pages, uint32_t hash_mask = UINT32_MAX);
  PagePool(const PagePool&) = delete;  // the index points into tokens_
  PagePool& operator=(const PagePool&) = delete;

  // A page with one reference: a free one, else the one that was released longest ago (it is then forgotten).
  // Throws OutOfPages.
  int32_t take() {
    const int32_t page = num_unused_ == 0 ? evict() : free_[--num_unused_];
    holds_[page] = kReference;
    return page;
  }

  // Adds a reference to a live or released page.
  void share(int32_t page) {
    if (holds_[page] < kReference) restore(page);
    holds_[page] += kReference;
  }

  // Adds a reference to each of these pages, all of which must be live.
  void share_live(std::span<const int32_t> pages) {
    int32_t* holds = holds_.data();
    for (const int32_t page : pages) holds[page] += kReference;
  }

  // Drops a reference. With the last one the page becomes released if it is registered, else free.
  void release(int32_t page) {
    const int32_t left = holds_[page] -= kReference;
    if (left < kReference) retire(page, left);
  }

  // Releases a chain from its end, so that leaves are evicted before their parents.
  void release_chain(std::span<const int32_t> pages);

  // Makes a live page findable. Its tokens must not change from now on.
  void enlist(int32_t page, uint64_t parent, uint64_t space);

  // Invariant: only a page that exactly one entry holds, and that cannot be found, may be written.
  bool is_writable(int32_t page) const { return holds_[page] == kReference; }
  bool is_live(int32_t page) const { return holds_[page] >= kReference; }
  int32_t references(int32_t page) const { return holds_[page] / kReference; }

  // tokens[W] of a page; those beyond its holders' lengths mean nothing.
  int32_t* tokens(int32_t page) { return tokens_.data() + int64_t{page} * kPageSize; }
  const int32_t* tokens(int32_t page) const { return tokens_.data() + int64_t{page} * kPageSize; }
  const PrefixIndex& index() const { return index_; }

  int32_t num_pages() const { return static_cast<int32_t>(holds_.size()); }
  int32_t num_released() const { return released_; }
  int32_t num_free() const { return num_unused_ + released_; }

  // Throws IntegrityError unless every page is where `references`[P] says that it must be. O(P).
  void check_integrity(std::span<const int32_t> references) const;

 private:
  // holds_[page] = 2 * references + (1 if registered): one load answers "may it be written?".
  static constexpr int32_t kRegistered = 1;
  static constexpr int32_t kReference = 2;
  struct Link {
    int32_t previous;
    int32_t next;
  };

  void retire(int32_t page, int32_t left);
  void restore(int32_t page);
  int32_t evict();
  std::vector<int32_t> check_lru() const;

  std::vector<int32_t> holds_;   // [P]
  std::vector<int32_t> tokens_;  // [P * W]
  std::vector<int32_t> free_;    // [P]: a stack of num_unused_
  std::vector<Link> lru_;        // [P + 1]: a ring through lru_[P]; its next is the oldest
  int32_t num_unused_;
  int32_t released_ = 0;
  PrefixIndex index_;
};

}  // namespace genlib
