// The pages of keys and values, page first, so that a page is one block: [P][L][G][keys D × W | values W ×
// D], D padded to whole vectors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "cpu/kernels.h"
#include "cpu/memory.h"

namespace genlib {

struct KvShape {
  int layers, heads, kv_heads, head_size;

  int padded_size() const { return (head_size + kLanes - 1) / kLanes * kLanes; }
  int64_t head_stride() const { return int64_t{kPageSize} * (head_size + padded_size()); }
  int64_t layer_stride() const { return head_stride() * kv_heads; }
  int64_t page_stride() const { return layer_stride() * layers; }
  int64_t page_bytes() const { return page_stride() * static_cast<int64_t>(sizeof(float)); }
};

// Owns the pages' memory; the page pool decides which page is whose.
class KvPages {
 public:
  KvPages(const KvShape& shape, int64_t num_pages)
      : shape_(shape), num_pages_(num_pages), memory_(static_cast<size_t>(num_pages * shape.page_bytes())) {}

  const KvShape& shape() const { return shape_; }
  int64_t num_pages() const { return num_pages_; }

  LayerPages layer(int index) const {
    return {memory_.as<float>() + index * shape_.layer_stride(),
            shape_.page_stride(),
            shape_.head_stride(),
            shape_.kv_heads,
            shape_.head_size,
            shape_.padded_size()};
  }

  void copy(int64_t from, int64_t to) {
    const auto bytes = static_cast<size_t>(shape_.page_bytes());
    if (from != to)
      std::memcpy(memory_.as<char>() + to * shape_.page_bytes(),
                  memory_.as<char>() + from * shape_.page_bytes(), bytes);
  }

  // For tests: what was never written must never be read.
  void fill(float value) { std::fill_n(memory_.as<float>(), num_pages_ * shape_.page_stride(), value); }

 private:
  KvShape shape_;
  int64_t num_pages_;
  Memory memory_;
};

}  // namespace genlib
