// Paged attention for a block of query rows that share one key/value head, chunk by chunk.
//
// A row's result depends on its own query and its own positions alone: each score is a chain over d, each
// chunk's maximum, mass and weighted values are formed in the order of positions, chunks are merged in order.
// How many rows go through a tile together changes nothing. A row never uses a slot at or behind its length.
//
// Included by kernels_<width>.cpp, once each.
#pragma once

#include "cpu/kernels.h"
#include "cpu/math.inc.h"
#include "cpu/simd.h"

namespace genlib::GENLIB_WIDTH {

// Most rows, and pages or vectors of values, of one tile.
#if defined(__AVX512F__)
inline constexpr int kTileRows = 6, kTileWidth = 4;
#else
inline constexpr int kTileRows = 3, kTileWidth = 2;
#endif
inline constexpr int kChunkPages = kChunk / kPage;

// What one block sees of one chunk. Rows before `active` are too short to reach it.
struct ChunkView {
  const float* q[kAttendRows];
  int visible[kAttendRows];  // positions of the chunk that the row sees
  int active, count;
  int pages;  // of the chunk that the last row sees, and in keys: a few of the next chunk
  int ahead;
  const float* keys[kChunkPages + kTileWidth];
  const float* values[kChunkPages];
};

GENLIB_INLINE int length_of_row(const AttendArgs& args, const RowBlock& block, int row) {
  const int group = args.heads / args.pages.kv_heads;
  return args.positions[args.starts[block.seq] + row / group] + 1;
}

static void view_chunk(const AttendArgs& args, const RowBlock& block, int chunk, ChunkView* view) {
  const LayerPages& pages = args.pages;
  const int group = args.heads / pages.kv_heads, size = pages.head_size;
  view->count = block.last - block.first;
  view->active = 0;
  for (int r = 0; r < view->count; ++r) {
    const int row = block.first + r;
    const int64_t token = args.starts[block.seq] + row / group;
    view->q[r] = args.q + (token * args.heads + block.kv_head * group + row % group) * size;
    const int left = length_of_row(args, block, row) - chunk * kChunk;
    view->visible[r] = left < kChunk ? left : kChunk;
    if (left <= 0) view->active = r + 1;
  }
  if (view->active == view->count) return;
  const int left = length_of_row(args, block, block.last - 1) - chunk * kChunk;
  const int all = (left + kPage - 1) / kPage;
  view->pages = all < kChunkPages ? all : kChunkPages;
  view->ahead = all < kChunkPages + kTileWidth ? all : kChunkPages + kTileWidth;
  const int32_t* table = args.tables + block.seq * args.max_pages + int64_t{chunk} * kChunkPages;
  for (int p = 0; p < view->ahead; ++p) {
    const float* page = pages.data + table[p] * pages.page_stride + block.kv_head * pages.head_stride;
    view->keys[p] = page;
    if (p < view->pages) view->values[p] = page + size * kPage;
  }
}

// q · k of R rows and T pages: sixteen positions are one vector. Pages lie apart, so that the machine does
// not guess what comes next: the tile asks memory for the same pages' values and for the keys of the next
// tile.
template <int R, int T>
[[gnu::noinline]] static void score_tile(const float* const* q, const float* const* keys,
                                         const float* const* values, const float* const* next, int size,
                                         float* scores) {
  f32x16 sums[R][T];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) sums[r][t] = fill(0.0f);
  for (int d = 0; d < size; ++d) {
    f32x16 k[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      k[t] = load(keys[t] + d * kPage);
      __builtin_prefetch(values[t] + d * kPage);
      __builtin_prefetch(next[t] + d * kPage);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const f32x16 qd = fill(q[r][d]);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) sums[r][t] = fma(qd, k[t], sums[r][t]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) store(scores + r * kChunk + t * kPage, sums[r][t]);
}

template <int R>
static void score_pages(const ChunkView& view, int row, int pages, int size, float* scores) {
  const float* const* q = view.q + row;
  int p = 0;
  for (; p + kTileWidth <= pages; p += kTileWidth) {
    const int next = p + 2 * kTileWidth <= view.ahead ? p + kTileWidth : p;
    score_tile<R, kTileWidth>(q, view.keys + p, view.values + p, view.keys + next, size, scores + p * kPage);
  }
  for (; p < pages; ++p)
    score_tile<R, 1>(q, view.keys + p, view.values + p, view.keys + p, size, scores + p * kPage);
}

// sums[R rows][V vectors] += Σ weights · values over positions first … last of the chunk.
template <int R, int V>
[[gnu::noinline]] static void value_tile(const float* weights, const float* const* values, int64_t padded,
                                         int first, int last, float* sums, int64_t stride) {
  f32x16 s[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) s[r][v] = load(sums + r * stride + v * kLanes);
  for (int i = first; i < last; ++i) {
    const float* row = values[i / kPage] + i % kPage * padded;
    f32x16 x[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) x[v] = load(row + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const f32x16 w = fill(weights[r * kChunk + i]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) s[r][v] = fma(w, x[v], s[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(sums + r * stride + v * kLanes, s[r][v]);
}

template <int R>
static void sum_values(const float* weights, const ChunkView& view, int64_t padded, int first, int last,
                       float* sums) {
  if (first == last) return;
  const int64_t stride = padded + kLanes;
  const float* values[kChunkPages];
  int64_t d = 0;
  const auto at = [&](int64_t offset) {
    for (int p = first / kPage; p * kPage < last; ++p) values[p] = view.values[p] + offset;
    return values;
  };
  for (; d + kTileWidth * kLanes <= padded; d += kTileWidth * kLanes)
    value_tile<R, kTileWidth>(weights, at(d), padded, first, last, sums + d, stride);
  for (; d < padded; d += kLanes) value_tile<R, 1>(weights, at(d), padded, first, last, sums + d, stride);
}

// Rows r … r + R: their shared positions in one reading, then what the later rows see beyond the first one.
template <int R>
static void attend_tile(const AttendArgs& args, const ChunkView& view, int r, float* scores, float* sums) {
  const int64_t padded = args.pages.padded_size, stride = padded + kLanes;
  const int shared = view.visible[r], most = view.visible[r + R - 1];
  score_pages<R>(view, r, (most + kPage - 1) / kPage, args.pages.head_size, scores);
  for (int i = 0; i < R; ++i) {
    float* row = sums + i * stride;
    softmax_row(scores + i * kChunk, view.visible[r + i], args.scale, row + padded, row + padded + 1);
    for (int64_t d = 0; d < padded; d += kLanes) store(row + d, fill(0.0f));
  }
  sum_values<R>(scores, view, padded, 0, shared, sums);
  for (int i = 1; i < R; ++i)
    sum_values<1>(scores + i * kChunk, view, padded, shared, view.visible[r + i], sums + i * stride);
}

static void attend_chunk(const AttendArgs& args, const RowBlock& block, int chunk, Partial into,
                         void* scratch) {
  ChunkView view;
  view_chunk(args, block, chunk, &view);
  float* scores = static_cast<float*>(scratch);
  const int64_t stride = args.pages.padded_size + kLanes;
  for (int r = view.active; r < view.count;) {
    const int rows = view.count - r < kTileRows ? view.count - r : kTileRows;
    float* sums = into.data + r * stride;
    switch (rows) {
      case 1:
        attend_tile<1>(args, view, r, scores, sums);
        break;
      case 2:
        attend_tile<2>(args, view, r, scores, sums);
        break;
      case 3:
        attend_tile<3>(args, view, r, scores, sums);
        break;
#if defined(__AVX512F__)
      case 4:
        attend_tile<4>(args, view, r, scores, sums);
        break;
      case 5:
        attend_tile<5>(args, view, r, scores, sums);
        break;
      case 6:
        attend_tile<6>(args, view, r, scores, sums);
        break;
#endif
    }
    r += rows;
  }
}

static void attend_merge(const AttendArgs& args, const RowBlock& block, int chunk, Partial from,
                         Partial into) {
  const int64_t padded = args.pages.padded_size, stride = padded + kLanes;
  for (int r = 0; r < block.last - block.first; ++r) {
    if (length_of_row(args, block, block.first + r) <= chunk * kChunk) continue;
    const float* x = from.data + r * stride;
    float* y = into.data + r * stride;
    const float most = x[padded] > y[padded] ? x[padded] : y[padded];
    const f32x16 new_scale = exp_of_negative(fill(x[padded] - most));
    const f32x16 old_scale = exp_of_negative(fill(y[padded] - most));
    for (int64_t d = 0; d < padded; d += kLanes)
      store(y + d, load(y + d) * old_scale + load(x + d) * new_scale);
    float masses[kLanes];
    store(masses, fill(y[padded + 1]) * old_scale + fill(x[padded + 1]) * new_scale);
    y[padded] = most;
    y[padded + 1] = masses[0];
  }
}

static void attend_finish(const AttendArgs& args, const RowBlock& block, Partial sums) {
  const LayerPages& pages = args.pages;
  const int group = args.heads / pages.kv_heads, size = pages.head_size;
  const int64_t stride = pages.padded_size + kLanes;
  for (int r = 0; r < block.last - block.first; ++r) {
    const int row = block.first + r;
    const int64_t token = args.starts[block.seq] + row / group;
    float* out = args.out + (token * args.heads + block.kv_head * group + row % group) * size;
    const float* from = sums.data + r * stride;
    const f32x16 mass = fill(from[pages.padded_size + 1]);
    for (int d = 0; d < size; d += kLanes) store_first(out + d, load(from + d) / mass, size - d);
  }
}

}  // namespace genlib::GENLIB_WIDTH
