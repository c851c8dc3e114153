// One row of the sampler and its passes over the vocabulary, a tile at a time.
//
// A tile's figures depend on the tile alone and totals are exact sums of them, so tiles may be taken in any
// order.
#pragma once

#include "cpu/sampling.h"
#include "cpu/sampling_mass.inc.h"

namespace genlib::GENLIB_WIDTH {

// Tokens in the order of their values: all above `value`, and of those that equal it the first `ties` by id.
struct Boundary {
  float value;
  int ties;
};
inline constexpr int kAllTies = 0x40000000;
inline constexpr float kLowest = -__FLT_MAX__;  // all finite tokens are at or above it

// The row cut in three: at or above `high` (upper), from `low` up to it (listed), and the rest.
struct Split {
  float low, high;
  uint64_t upper_mass, listed_mass;
  int upper_count, listed_count;
};

struct Row {
  const float* values;  // [V]
  int vocabulary;
  int num_tiles;
  int num_finite;
  Against against;
  float* tile_peak;  // [tiles] the largest value
  SampleScratch room;
  Split split;
  bool is_split;
};

GENLIB_INLINE int tile_end(const Row& row, int tile) {
  const int end = (tile + 1) * kSampleTile;
  return end < row.vocabulary ? end : row.vocabulary;
}

// Rows of one thread share the scratch, one after another.
static Row new_row(int vocabulary, const SampleScratch& room) {
  Row row = {};
  row.vocabulary = vocabulary;
  row.num_tiles = (vocabulary + kSampleTile - 1) / kSampleTile;
  row.room = room;
  return row;
}

// The mass of values[0..n).
static uint64_t sum_masses(const float* values, int n, const Against& against) {
  u64x16 all = {};
  int i = 0;
  for (; i + kAbreast * kLanes <= n; i += kAbreast * kLanes) {
    f32x16 x[kAbreast];
    Powers at[kAbreast];
    for (int j = 0; j < kAbreast; ++j) x[j] = load(values + i + j * kLanes);
    powers(x, against, at);
    for (int j = 0; j < kAbreast; ++j) all = all + masses(at[j]);
  }
  for (; i < n; i += kLanes) all = all + masses(powers(load_values(values + i, n - i), against));
  return sum(all);
}

// The mass of each tile into tile_kept. Gives their sum.
static uint64_t sum_tiles(const Row& row) {
  uint64_t total = 0;
  for (int t = 0; t < row.num_tiles; ++t) {
    const int first = t * kSampleTile;
    row.room.tile_kept[t] = sum_masses(row.values + first, tile_end(row, t) - first, row.against);
    total += row.room.tile_kept[t];
  }
  return total;
}

// Lists what a tile without an upper part has.
static void list_tile(Row* row, int tile) {
  Split& s = row->split;
  const int end = tile_end(*row, tile);
  for (int i = tile * kSampleTile; i < end; i += kLanes) {
    const f32x16 x = load_values(row->values + i, end - i);
    const Choice chosen = at_least(x, s.low);
    if (bits_of(chosen) != 0) s.listed_count += compress(row->room.listed + s.listed_count, chosen, x);
  }
}

static void split_tile(Row* row, int tile) {
  constexpr int kGroups = kAbreast / 2;
  Split& s = row->split;
  const int end = tile_end(*row, tile);
  u64x16 upper = {};
  for (int i = tile * kSampleTile; i < end; i += kGroups * kLanes) {
    f32x16 x[kGroups];
    Powers at[kGroups];
    for (int j = 0; j < kGroups; ++j) x[j] = load_values(row->values + i + j * kLanes, end - i - j * kLanes);
    powers(x, row->against, at);
    for (int j = 0; j < kGroups; ++j) {
      const Choice in_upper = at_least(x[j], s.high);
      upper = add_chosen(upper, in_upper, masses_to_choose(at[j]));
      s.upper_count += __builtin_popcount(bits_of(in_upper));
      s.listed_count +=
          compress(row->room.listed + s.listed_count, without(at_least(x[j], s.low), in_upper), x[j]);
    }
  }
  row->room.tile_upper[tile] = sum(upper);
}

// Cuts the row at low ≤ high. high = +inf: there is no upper part.
static void split_row(Row* row, float low, float high) {
  row->split = {
      .low = low, .high = high, .upper_mass = 0, .listed_mass = 0, .upper_count = 0, .listed_count = 0};
  for (int t = 0; t < row->num_tiles; ++t) {
    row->room.tile_start[t] = row->split.listed_count;
    row->room.tile_upper[t] = 0;
    if (!(row->tile_peak[t] >= low)) continue;
    if (row->tile_peak[t] >= high) {
      split_tile(row, t);
      row->split.upper_mass += row->room.tile_upper[t];
    } else {
      list_tile(row, t);
    }
  }
  row->room.tile_start[row->num_tiles] = row->split.listed_count;
  row->split.listed_mass = sum_masses(row->room.listed, row->split.listed_count, row->against);
  row->is_split = true;
}

}  // namespace genlib::GENLIB_WIDTH
