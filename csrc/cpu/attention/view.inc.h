// Which positions of a chunk each row sees.
//
// Included by attend.inc.h.
#pragma once

#include <type_traits>

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace genlib::GENLIB_WIDTH {

// Most rows, and pages or vectors of values, of one tile.
#if defined(__AVX512F__)
inline constexpr int kTileRows = 6, kTileWidth = 4;
#else
inline constexpr int kTileRows = 3, kTileWidth = 2;
#endif
inline constexpr int kChunkPages = kChunk / kPageSize;

// f(a constant): as many rows as a tile has.
template <typename F>
GENLIB_INLINE void with_rows(int rows, F&& f) {
  switch (rows) {
    case 1:
      return f(std::integral_constant<int, 1>{});
    case 2:
      return f(std::integral_constant<int, 2>{});
    case 3:
      return f(std::integral_constant<int, 3>{});
#if defined(__AVX512F__)
    case 4:
      return f(std::integral_constant<int, 4>{});
    case 5:
      return f(std::integral_constant<int, 5>{});
    case 6:
      return f(std::integral_constant<int, 6>{});
#endif
  }
}

// What a block's rows see of one chunk: the query, the number of positions (zero or negative for a row that
// is too short), and the sequence whose pages they see.
struct Rows {
  const float* q[kAttendRows];
  int visible[kAttendRows];
  int seq[kAttendRows];
  int count;
};

// A sequence's pages of a chunk: those that it sees; `keys` also has the first few of the next chunk.
struct Pages {
  int count, ahead;
  const float* keys[kChunkPages + kTileWidth];
  const float* values[kChunkPages];
};

GENLIB_INLINE int64_t token_of_row(const AttendArgs& args, const RowBlock& block, int row) {
  return args.starts[block.seq] + row / (args.heads / args.pages.kv_heads);
}

GENLIB_INLINE int length_of_row(const AttendArgs& args, const RowBlock& block, int row) {
  return args.positions[token_of_row(args, block, row)] + 1;
}

static void view_rows(const AttendArgs& args, const RowBlock& block, int chunk, Rows* rows) {
  const int group = args.heads / args.pages.kv_heads;
  rows->count = block.last - block.first;
  for (int r = 0; r < rows->count; ++r) {
    const int row = block.first + r;
    const int64_t head = block.kv_head * group + row % group;
    rows->q[r] = args.q + (token_of_row(args, block, row) * args.heads + head) * args.pages.head_size;
    const int left = length_of_row(args, block, row) - chunk * kChunk;
    rows->visible[r] = left < kChunk ? left : kChunk;
    rows->seq[r] = block.seq + (block.one_each ? row / group : 0);
  }
}

GENLIB_INLINE int pages_of(int positions) { return (positions + kPageSize - 1) / kPageSize; }

GENLIB_INLINE const int32_t* chunk_table(const AttendArgs& args, int seq, int chunk) {
  return args.tables + seq * args.max_pages + int64_t{chunk} * kChunkPages;
}

// The sequence has `left` positions in this chunk and after it.
static void view_pages(const AttendArgs& args, int kv_head, int seq, int chunk, int left, Pages* view) {
  const LayerPages& pages = args.pages;
  const int all = pages_of(left);
  view->count = all < kChunkPages ? all : kChunkPages;
  view->ahead = all < kChunkPages + kTileWidth ? all : kChunkPages + kTileWidth;
  const int32_t* table = chunk_table(args, seq, chunk);
  for (int p = 0; p < view->ahead; ++p) {
    const float* page = pages.data + table[p] * pages.page_stride + kv_head * pages.head_stride;
    view->keys[p] = page;
    if (p < view->count) view->values[p] = page + pages.head_size * kPageSize;
  }
}

// How many of the chunk's first pages two sequences share, whole.
static int shared_pages(const AttendArgs& args, int chunk, int seq, int visible, int other_seq,
                        int other_visible) {
  const int most = (visible < other_visible ? visible : other_visible) / kPageSize;
  const int32_t* a = chunk_table(args, seq, chunk);
  const int32_t* b = chunk_table(args, other_seq, chunk);
  int n = 0;
  while (n < most && a[n] == b[n]) ++n;
  return n;
}

}  // namespace genlib::GENLIB_WIDTH
