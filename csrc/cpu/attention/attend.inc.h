// Paged attention for a block of query rows that share one key/value head, chunk by chunk.
//
// A row's result depends on its own query and its own positions alone: each score is a chain over d, each
// chunk's maximum, mass and weighted values are formed in the order of positions, chunks are merged in order.
// The number of rows in a tile changes nothing. A row never uses a slot at or beyond its length.
// Pages that sequences share (a common prefix) are read once for all of their rows.
//
// Included once by each unit of csrc/cpu/widths.
#pragma once

#include "cpu/attention/view.inc.h"
#include "cpu/kernels.h"
#include "cpu/math.inc.h"
#include "cpu/simd.h"

namespace genlib::GENLIB_WIDTH {

// q · k of R rows and T pages: sixteen positions are one vector. Pages lie apart, so the hardware prefetcher
// does not find the next one: the tile prefetches the same pages' values and the keys of the next tile.
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
      k[t] = load(keys[t] + d * kPageSize);
      __builtin_prefetch(values[t] + d * kPageSize);
      __builtin_prefetch(next[t] + d * kPageSize);
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
    for (int t = 0; t < T; ++t) store(scores + r * kChunk + t * kPageSize, sums[r][t]);
}

// Scores of rows `row` … row + R over pages first … last.
template <int R>
static void score_pages(const Rows& rows, int row, const Pages& pages, int first, int last, int size,
                        float* scores) {
  const float* const* q = rows.q + row;
  int p = first;
  for (; p + kTileWidth <= last; p += kTileWidth) {
    const int next = p + 2 * kTileWidth <= pages.ahead ? p + kTileWidth : p;
    score_tile<R, kTileWidth>(q, pages.keys + p, pages.values + p, pages.keys + next, size,
                              scores + p * kPageSize);
  }
  for (; p < last; ++p)
    score_tile<R, 1>(q, pages.keys + p, pages.values + p, pages.keys + p, size, scores + p * kPageSize);
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
    const float* row = values[i / kPageSize] + i % kPageSize * padded;
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
static void sum_values(const float* weights, const Pages& pages, int64_t padded, int first, int last,
                       float* sums) {
  if (first == last) return;
  const int64_t stride = padded + kLanes;
  const float* values[kChunkPages];
  int64_t d = 0;
  const auto at = [&](int64_t offset) {
    for (int p = first / kPageSize; p * kPageSize < last; ++p) values[p] = pages.values[p] + offset;
    return values;
  };
  for (; d + kTileWidth * kLanes <= padded; d += kTileWidth * kLanes)
    value_tile<R, kTileWidth>(weights, at(d), padded, first, last, sums + d, stride);
  for (; d < padded; d += kLanes) value_tile<R, 1>(weights, at(d), padded, first, last, sums + d, stride);
}

// Rows of a tile that see the same pages.
struct Part {
  int first, last;
  Pages pages;
};

// Rows whose first `shared` pages are those of parts[0]; from there on each part has its own. A tile with one
// part needs no sharing. Of a part's own pages, the positions that its first row sees are read once for all
// of its rows.
static void attend_tile(const AttendArgs& args, const Rows& rows, const Part* parts, int num_parts,
                        int shared, float* scores, float* all_sums) {
  const int64_t padded = args.pages.padded_size, stride = padded + kLanes;
  const int size = args.pages.head_size, first = parts[0].first, last = parts[num_parts - 1].last;
  float* sums = all_sums + first * stride;
  with_rows(last - first, [&](auto n) {
    if (shared > 0) score_pages<n>(rows, first, parts[0].pages, 0, shared, size, scores);
  });
  for (int i = 0; i < num_parts; ++i) {
    const Part& part = parts[i];
    with_rows(part.last - part.first, [&](auto n) {
      score_pages<n>(rows, part.first, part.pages, shared, pages_of(rows.visible[part.last - 1]), size,
                     scores + (part.first - first) * kChunk);
    });
  }
  for (int r = first; r < last; ++r) {
    float* row = all_sums + r * stride;
    softmax_row(scores + (r - first) * kChunk, rows.visible[r], args.scale, row + padded, row + padded + 1);
    for (int64_t d = 0; d < padded; d += kLanes) store(row + d, fill(0.0f));
  }
  with_rows(last - first,
            [&](auto n) { sum_values<n>(scores, parts[0].pages, padded, 0, shared * kPageSize, sums); });
  for (int i = 0; i < num_parts; ++i) {
    const Part& part = parts[i];
    const float* weights = scores + (part.first - first) * kChunk;
    const int together = rows.visible[part.first];
    with_rows(part.last - part.first, [&](auto n) {
      sum_values<n>(weights, part.pages, padded, shared * kPageSize, together,
                    all_sums + part.first * stride);
    });
    for (int r = part.first + 1; r < part.last; ++r)
      sum_values<1>(weights + (r - part.first) * kChunk, part.pages, padded, together, rows.visible[r],
                    all_sums + r * stride);
  }
}

// The end of the rows from `first` on that share pages with it, and how many pages they share: at least one,
// unless no row does.
static int end_of_run(const AttendArgs& args, const Rows& rows, int first, int chunk, int* shared) {
  const int seq = rows.seq[first];
  int end = first + 1;
  while (end < rows.count && rows.seq[end] == seq) ++end;
  *shared = 0;
  while (end < rows.count && rows.visible[end] > 0) {
    const int n = shared_pages(args, chunk, seq, rows.visible[first], rows.seq[end], rows.visible[end]);
    if (n == 0 || n < *shared) break;
    if (*shared == 0) *shared = n;
    const int next = rows.seq[end];
    while (end < rows.count && rows.seq[end] == next) ++end;
  }
  return end;
}

static void attend_chunk(const AttendArgs& args, const RowBlock& block, int chunk, Partial into,
                         void* scratch) {
  Rows rows;
  view_rows(args, block, chunk, &rows);
  float* scores = static_cast<float*>(scratch);
  Part parts[kTileRows];
  for (int r = 0; r < rows.count;) {
    if (rows.visible[r] <= 0) {
      ++r;
      continue;
    }
    int shared = 0;
    const int end = end_of_run(args, rows, r, chunk, &shared);
    while (r < end) {
      const int tile_end = end - r < kTileRows ? end : r + kTileRows;
      int num_parts = 0;
      while (r < tile_end) {
        Part& part = parts[num_parts++];
        part.first = r;
        while (r < tile_end && rows.seq[r] == rows.seq[part.first]) ++r;
        part.last = r;
        const int left = length_of_row(args, block, block.first + r - 1) - chunk * kChunk;
        view_pages(args, block.kv_head, rows.seq[part.first], chunk, left, &part.pages);
      }
      attend_tile(args, rows, parts, num_parts, num_parts > 1 ? shared : 0, scores, into.data);
    }
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
    const int64_t head = block.kv_head * group + row % group;
    float* out = args.out + (token_of_row(args, block, row) * args.heads + head) * size;
    const float* from = sums.data + r * stride;
    const f32x16 mass = fill(from[pages.padded_size + 1]);
    for (int d = 0; d < size; d += kLanes) store_first(out + d, load(from + d) / mass, size - d);
  }
}

}  // namespace genlib::GENLIB_WIDTH
