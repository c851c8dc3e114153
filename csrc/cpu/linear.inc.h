// x · weightᵀ: each output is one chain of fused multiply-adds over k from +0, then the bias. A tile holds
// the sums of R rows and P panels in registers over all of k, so a row's bits do not depend on R or P. 16-bit
// weights are widened as they are read, which is exact, and free beside the multiply-adds of several rows.
//
// Included by kernels_<width>.cpp, once each.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace genlib::GENLIB_WIDTH {

// Most rows of one tile: its sums, a panel's vectors and a broadcast must fit into the registers.
#if defined(__AVX512F__)
inline constexpr int kMostRows = 12;
#else
inline constexpr int kMostRows = 3;
#endif

// One step of k of one panel, widened.
struct Float32Panel {
  using Element = float;
  GENLIB_INLINE void widen(const float* from, f32x16* low, f32x16* high) {
    *low = load(from);
    *high = load(from + kLanes);
  }
};

struct Bfloat16Panel {
  using Element = uint16_t;
  GENLIB_INLINE void widen(const uint16_t* from, f32x16* low, f32x16* high) {
    widen_bfloat16(from, low, high);
  }
};

struct Float16Panel {
  using Element = uint16_t;
  GENLIB_INLINE void widen(const uint16_t* from, f32x16* low, f32x16* high) {
    *low = widen_float16(from);
    *high = widen_float16(from + kLanes);
  }
};

// The panels to go through: `first` lies at `data`, each is in · 32 elements long.
template <typename Panel>
struct PanelRun {
  const typename Panel::Element* data;
  int64_t first, last;
};

GENLIB_INLINE void store_outputs(const LinearArgs& args, int64_t row, int64_t column, f32x16 sums) {
  const int64_t left = args.out_size - column;
  if (left <= 0) return;
  const int n = left < kLanes ? static_cast<int>(left) : kLanes;
  if (args.bias != nullptr) sums = sums + load_first(args.bias + column, n);
  store_first(args.out + row * args.out_size + column, sums, n);
}

// A panel's data from memory is asked for this many bytes ahead. One stream of them keeps memory busier than
// two.
inline constexpr int64_t kAhead = 8192;

// R rows from `row` and P panels from `panel`, which lies at `weights`.
template <typename Panel, int R, int P>
[[gnu::noinline]] static void tile(const LinearArgs& args, const typename Panel::Element* weights,
                                   int64_t panel, int64_t row) {
  const int64_t in = args.in;
  f32x16 sums[R][2 * P];
  const float* x[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    x[r] = args.x + (row + r) * in;
#pragma GCC unroll 8
    for (int v = 0; v < 2 * P; ++v) sums[r][v] = fill(0.0f);
  }
  for (int64_t k = 0; k < in; ++k) {
    f32x16 w[2 * P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const typename Panel::Element* at = weights + p * in * kPanel + k * kPanel;
      Panel::widen(at, &w[2 * p], &w[2 * p + 1]);
      if (P > 1) continue;
      const char* ahead = reinterpret_cast<const char*>(at) + kAhead;
      __builtin_prefetch(ahead);
      if (sizeof(*at) * kPanel > 64) __builtin_prefetch(ahead + 64);
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const f32x16 xk = fill(x[r][k]);
#pragma GCC unroll 8
      for (int v = 0; v < 2 * P; ++v) sums[r][v] = fma(xk, w[v], sums[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < 2 * P; ++v) store_outputs(args, row + r, panel * kPanel + v * kLanes, sums[r][v]);
}

// P panels at once where they come from a cache: few rows are then bound by the latency of their few chains.
template <typename Panel, int R, int P>
GENLIB_INLINE void tile_panels(const LinearArgs& args, const PanelRun<Panel>& run, int64_t row) {
  int64_t panel = run.first;
  const typename Panel::Element* data = run.data;
  if (P > 1 && args.cached)
    for (; panel + P <= run.last; panel += P, data += P * args.in * kPanel)
      tile<Panel, R, P>(args, data, panel, row);
  for (; panel < run.last; ++panel, data += args.in * kPanel) tile<Panel, R, 1>(args, data, panel, row);
}

template <typename Panel>
static void tile_rows(const LinearArgs& args, const PanelRun<Panel>& run, int64_t row, int rows) {
  switch (rows) {
    case 1:
      return tile_panels<Panel, 1, 2>(args, run, row);
    case 2:
      return tile_panels<Panel, 2, kMostRows == 12 ? 2 : 1>(args, run, row);
    case 3:
      return tile_panels<Panel, 3, kMostRows == 12 ? 2 : 1>(args, run, row);
#if defined(__AVX512F__)
#define GENLIB_ROWS(n) \
  case n:              \
    return tile_panels<Panel, n, 1>(args, run, row)
      GENLIB_ROWS(4);
      GENLIB_ROWS(5);
      GENLIB_ROWS(6);
      GENLIB_ROWS(7);
      GENLIB_ROWS(8);
      GENLIB_ROWS(9);
      GENLIB_ROWS(10);
      GENLIB_ROWS(11);
      GENLIB_ROWS(12);
#undef GENLIB_ROWS
#endif
  }
}

// Rows in blocks of equal size (but for one), not full ones and a small last one.
template <typename Panel>
static void all_rows(const LinearArgs& args, const PanelRun<Panel>& run, int64_t first_row,
                     int64_t last_row) {
  int64_t blocks = (last_row - first_row + kMostRows - 1) / kMostRows;
  for (int64_t row = first_row; row < last_row; --blocks) {
    const int rows = static_cast<int>((last_row - row + blocks - 1) / blocks);
    tile_rows<Panel>(args, run, row, rows);
    row += rows;
  }
}

// The panels one by one, so that the second block of rows finds a panel in the cache.
template <typename Panel>
static void walk(const LinearArgs& args, int64_t first_panel, int64_t last_panel, int64_t first_row,
                 int64_t last_row) {
  const int64_t size = args.in * kPanel;
  const auto* data = static_cast<const typename Panel::Element*>(args.panels) + first_panel * size;
  if (last_row - first_row <= kMostRows)
    return all_rows<Panel>(args, {data, first_panel, last_panel}, first_row, last_row);
  for (int64_t panel = first_panel; panel < last_panel; ++panel, data += size)
    all_rows<Panel>(args, {data, panel, panel + 1}, first_row, last_row);
}

static void linear_panels(const LinearArgs& args, int64_t first_panel, int64_t last_panel, int64_t first_row,
                          int64_t last_row) {
  if (args.type == PanelType::kFloat32)
    walk<Float32Panel>(args, first_panel, last_panel, first_row, last_row);
  else if (args.type == PanelType::kBfloat16)
    walk<Bfloat16Panel>(args, first_panel, last_panel, first_row, last_row);
  else
    walk<Float16Panel>(args, first_panel, last_panel, first_row, last_row);
}

static float read_all(const float* first, const float* last) {
  u32x16 bits[4] = {};
  for (; first + 4 * kLanes <= last; first += 4 * kLanes)
    for (int i = 0; i < 4; ++i)
      bits[i] = bits[i] | load(reinterpret_cast<const uint32_t*>(first) + i * kLanes);
  return sum(bit_cast<float>((bits[0] | bits[1]) | (bits[2] | bits[3])));
}

}  // namespace genlib::GENLIB_WIDTH
