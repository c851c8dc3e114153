#include "states/prefix_index.h"

#include <bit>
#include <cstring>
#include <random>

#include "base/check.h"

namespace genlib {
namespace {

// 64 x 64 -> 128 bits, folded: one multiplication mixes two words.
uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t draw_key() {
  std::random_device source;
  return (static_cast<uint64_t>(source()) << 32) ^ source();
}

}  // namespace

PrefixIndex::PrefixIndex(int32_t num_pages, const int32_t* tokens, uint32_t hash_mask)
    : tokens_(tokens),
      nodes_(static_cast<size_t>(num_pages)),
      buckets_(std::bit_ceil(static_cast<size_t>(num_pages)), kNoPage),
      hash_mask_(hash_mask),
      key_{draw_key(), draw_key()} {}

uint32_t PrefixIndex::hash(uint64_t parent, uint64_t space, const int32_t* tokens) const {
  constexpr size_t kWords = kPageSize * sizeof(int32_t) / sizeof(uint64_t);
  uint64_t words[kWords];
  std::memcpy(words, tokens, sizeof words);
  uint64_t state = mix(parent ^ key_[0], space ^ key_[1]);
  for (size_t i = 0; i < kWords; i += 2) {
    state = mix(words[i] ^ key_[0] ^ state, words[i + 1] ^ key_[1]) + (state >> 1);
  }
  return static_cast<uint32_t>(state ^ (state >> 32)) & hash_mask_;
}

int32_t PrefixIndex::find(uint64_t parent, uint64_t space, const int32_t* tokens) const {
  const uint32_t wanted = hash(parent, space, tokens);
  int32_t page = buckets_[wanted & (buckets_.size() - 1)];
  for (; page != kNoPage; page = nodes_[page].next) {
    const Node& node = nodes_[page];
    if (node.hash == wanted && node.parent == parent && node.space == space &&
        std::memcmp(tokens_ + int64_t{page} * kPageSize, tokens, kPageSize * sizeof(int32_t)) == 0) {
      return page;
    }
  }
  return kNoPage;
}

void PrefixIndex::insert(int32_t page, uint64_t parent, uint64_t space) {
  GENLIB_INTEGRITY(!contains(page), "page ", page, " is registered already");
  Node& node = nodes_[page];
  node.serial = next_serial_++;
  node.parent = parent;
  node.space = space;
  node.hash = hash(parent, space, tokens_ + int64_t{page} * kPageSize);
  int32_t& first = buckets_[node.hash & (buckets_.size() - 1)];
  node.next = first;
  first = page;
  ++size_;
}

void PrefixIndex::erase(int32_t page) {
  GENLIB_INTEGRITY(contains(page), "page ", page, " is not registered");
  int32_t* link = &buckets_[nodes_[page].hash & (buckets_.size() - 1)];
  while (*link != page) link = &nodes_[*link].next;
  *link = nodes_[page].next;
  nodes_[page] = Node{};
  --size_;
}

void PrefixIndex::check_integrity() const {
  int32_t listed = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    for (int32_t page = buckets_[bucket]; page != kNoPage; page = nodes_[page].next) {
      GENLIB_INTEGRITY(++listed <= size_, "index: more pages listed than registered, or a cycle");
      const Node& node = nodes_[page];
      const int32_t* tokens = tokens_ + int64_t{page} * kPageSize;
      GENLIB_INTEGRITY(contains(page), "index: page ", page, " is listed but not registered");
      GENLIB_INTEGRITY(node.hash == hash(node.parent, node.space, tokens), "index: tokens of page ", page,
                       " changed while it was registered");
      GENLIB_INTEGRITY(find(node.parent, node.space, tokens) == page, "index: page ", page,
                       " is not the page of its key");
    }
  }
  int32_t registered = 0;
  for (const Node& node : nodes_) registered += node.serial != kRoot;
  GENLIB_INTEGRITY(listed == size_ && registered == size_, "index: ", listed, " listed, ", registered,
                   " registered, ", size_, " counted");
}

}  // namespace genlib
