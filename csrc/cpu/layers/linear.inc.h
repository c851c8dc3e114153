// x · weightᵀ: each output is one chain of fused multiply-adds over k from +0, then the bias. A tile holds
// the sums of R rows and P panels in registers over all of k, so a row's bits do not depend on R or P. 16-bit
// weights are widened as they are read, which is exact, and costs nothing beside the multiply-adds of several
// rows.
//
// Included once by each unit of csrc/cpu/widths.
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

// What a tile prefetches while it computes: `step` bytes from `at` on, for each k.
struct Ahead {
  const char* at;
  int64_t step;
};

// R rows from `row` and P panels from `panel`, which lies at `weights`.
template <typename Panel, int R, int P>
[[gnu::noinline]] static void tile(const LinearArgs& args, const typename Panel::Element* weights,
                                   int64_t panel, int64_t row, Ahead ahead) {
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
    }
    if (P == 1) {
      __builtin_prefetch(ahead.at);
      if (sizeof(*weights) * kPanel > 64) __builtin_prefetch(ahead.at + 64);
      ahead.at += ahead.step;
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

template <typename Panel>
using Tile = void (*)(const LinearArgs&, const typename Panel::Element*, int64_t panel, int64_t row, Ahead);

// By the number of rows, one panel.
template <typename Panel>
inline constexpr Tile<Panel> kTiles[kMostRows + 1] = {
    nullptr,           tile<Panel, 1, 1>,  tile<Panel, 2, 1>,  tile<Panel, 3, 1>,
#if defined(__AVX512F__)
    tile<Panel, 4, 1>, tile<Panel, 5, 1>,  tile<Panel, 6, 1>,  tile<Panel, 7, 1>,  tile<Panel, 8, 1>,
    tile<Panel, 9, 1>, tile<Panel, 10, 1>, tile<Panel, 11, 1>, tile<Panel, 12, 1>,
#endif
};

// Where the weights come from a cache, few rows are bound by the latency of their few chains: two panels at
// once. From memory, one stream is faster.
template <typename Panel>
static int64_t pairs_of_panels(const LinearArgs& args, const PanelRun<Panel>& run, int64_t row,
                               int64_t rows) {
  constexpr Tile<Panel> kPairs[] = {nullptr, tile<Panel, 1, 2>, tile<Panel, 2, 2>, tile<Panel, 3, 2>};
  int64_t panel = run.first;
  if (!args.cached || rows > (kMostRows == 12 ? 3 : 1)) return panel;
  for (; panel + 2 <= run.last; panel += 2)
    kPairs[rows](args, run.data + (panel - run.first) * args.in * kPanel, panel, row, Ahead{nullptr, 0});
  return panel;
}

// All rows pass one panel before the next, in blocks of nearly equal size rather than full ones and a small
// last one. The first block would wait for memory while the others leave it idle: so each prefetches its
// share of the next panel, if two panels fit into the second-level cache, and otherwise what it needs itself
// soon.
template <typename Panel>
static void walk(const LinearArgs& args, const PanelRun<Panel>& run, int64_t first_row, int64_t last_row) {
  constexpr int64_t kSoon = 8192, kLargePanel = 256 << 10;
  const int64_t size = args.in * kPanel, rows = last_row - first_row;
  const int64_t bytes = size * static_cast<int64_t>(sizeof(*run.data)), step = bytes / args.in;
  const int64_t blocks = (rows + kMostRows - 1) / kMostRows;
  const bool share = blocks > 1 && bytes <= kLargePanel;
  for (int64_t panel = pairs_of_panels<Panel>(args, run, first_row, rows); panel < run.last; ++panel) {
    const typename Panel::Element* data = run.data + (panel - run.first) * size;
    const char* start = reinterpret_cast<const char*>(data);
    for (int64_t row = first_row, block = 0; row < last_row; ++block) {
      const int64_t count = (last_row - row + blocks - block - 1) / (blocks - block);
      const Ahead ahead =
          share ? Ahead{start + bytes + bytes * block / blocks, step / blocks} : Ahead{start + kSoon, step};
      kTiles<Panel>[count](args, data, panel, row, ahead);
      row += count;
    }
  }
}

template <typename Panel>
GENLIB_INLINE void walk_from(const LinearArgs& args, int64_t first_panel, int64_t last_panel,
                             int64_t first_row, int64_t last_row) {
  const auto* panels = static_cast<const typename Panel::Element*>(args.panels);
  walk<Panel>(args, {panels + first_panel * args.in * kPanel, first_panel, last_panel}, first_row, last_row);
}

static void linear_panels(const LinearArgs& args, int64_t first_panel, int64_t last_panel, int64_t first_row,
                          int64_t last_row) {
  if (args.type == FloatType::kFloat32)
    walk_from<Float32Panel>(args, first_panel, last_panel, first_row, last_row);
  else if (args.type == FloatType::kBfloat16)
    walk_from<Bfloat16Panel>(args, first_panel, last_panel, first_row, last_row);
  else
    walk_from<Float16Panel>(args, first_panel, last_panel, first_row, last_row);
}

static float read_all(const float* first, const float* last) {
  u32x16 bits[4] = {};
  for (; first + 4 * kLanes <= last; first += 4 * kLanes)
    for (int i = 0; i < 4; ++i)
      bits[i] = bits[i] | load(reinterpret_cast<const uint32_t*>(first) + i * kLanes);
  return sum(bit_cast<float>((bits[0] | bits[1]) | (bits[2] | bits[3])));
}

}  // namespace genlib::GENLIB_WIDTH
