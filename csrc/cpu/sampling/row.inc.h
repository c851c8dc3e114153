// One row of the sampler and its passes over the vocabulary, a tile at a time.
//
// A tile's figures depend on the tile alone and totals are exact sums of them, so blocks of tiles may be
// taken in any order, by any thread.
#pragma once

#include "cpu/sampling/mass.inc.h"
#include "cpu/sampling/sampling.h"

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
  const SampleTeam* team;  // null: this thread alone
  Split split;
  bool is_split;
};

GENLIB_INLINE int tile_end(const Row& row, int tile) {
  const int end = (tile + 1) * kSampleTile;
  return end < row.vocabulary ? end : row.vocabulary;
}

GENLIB_INLINE int num_blocks(const Row& row) { return (row.num_tiles + kBlockTiles - 1) / kBlockTiles; }

GENLIB_INLINE int block_end(const Row& row, int block) {
  const int end = (block + 1) * kBlockTiles;
  return end < row.num_tiles ? end : row.num_tiles;
}

// body(first, last) for blocks first to last - 1; over the row's team if the work, in values whose masses are
// worked out, is enough.
template <typename Body>
GENLIB_INLINE void each_block(const Row& row, int work, Body body) {
  if (row.team == nullptr || work < kShareable) return body(0, num_blocks(row));
  row.team->each(
      row.team->self, num_blocks(row),
      [](void* self, int first, int last) { (*static_cast<Body*>(self))(first, last); }, &body);
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

struct Totals {
  uint64_t model, row;
};

// The masses of the model's row and of the row drawn from, whose tiles' go into tile_kept. The latter is null
// if it is the model's.
static Totals sum_tiles(const Row& model, const Row* row) {
  const SampleScratch& room = model.room;
  each_block(model, row != nullptr ? 2 * model.vocabulary : model.vocabulary,
             [&](int first_block, int last_block) {
               for (int t = first_block * kBlockTiles; t < block_end(model, last_block - 1); ++t) {
                 const int first = t * kSampleTile, n = tile_end(model, t) - first;
                 room.tile_upper[t] = sum_masses(model.values + first, n, model.against);
                 room.tile_kept[t] =
                     row != nullptr ? sum_masses(row->values + first, n, row->against) : room.tile_upper[t];
               }
             });
  Totals totals = {0, 0};
  for (int t = 0; t < model.num_tiles; ++t) {
    totals.model += room.tile_upper[t];
    totals.row += room.tile_kept[t];
  }
  return totals;
}

// Lists the values of a tile without an upper part in `listed`. Returns their number.
GENLIB_INLINE int list_tile(const Row& row, int tile, float* listed) {
  const int end = tile_end(row, tile);
  int n = 0;
  for (int i = tile * kSampleTile; i < end; i += kLanes) {
    const f32x16 x = load_values(row.values + i, end - i);
    const Choice chosen = at_least(x, row.split.low);
    if (bits_of(chosen) != 0) n += compress(listed + n, chosen, x);
  }
  return n;
}

// The same for a tile with an upper part, whose values it counts.
GENLIB_INLINE int split_tile(const Row& row, int tile, float* listed, int* upper_count) {
  constexpr int kGroups = kAbreast / 2;
  const int end = tile_end(row, tile);
  int n = 0;
  u64x16 upper = {};
  for (int i = tile * kSampleTile; i < end; i += kGroups * kLanes) {
    f32x16 x[kGroups];
    Powers at[kGroups];
    for (int j = 0; j < kGroups; ++j) x[j] = load_values(row.values + i + j * kLanes, end - i - j * kLanes);
    powers(x, row.against, at);
    for (int j = 0; j < kGroups; ++j) {
      const Choice in_upper = at_least(x[j], row.split.high);
      upper = add_chosen(upper, in_upper, masses_to_choose(at[j]));
      *upper_count += __builtin_popcount(bits_of(in_upper));
      n += compress(listed + n, without(at_least(x[j], row.split.low), in_upper), x[j]);
    }
  }
  row.room.tile_upper[tile] = sum(upper);
  return n;
}

// Lists a block's values from listed_first on; tile_start counts from there.
static void split_block(const Row& row, int block, int listed_first) {
  float* listed = row.room.listed + listed_first;
  SampleBlock& b = row.room.block[block];
  b.listed_first = listed_first;
  int n = 0, upper_count = 0;
  for (int t = block * kBlockTiles; t < block_end(row, block); ++t) {
    row.room.tile_start[t] = n;
    row.room.tile_upper[t] = 0;
    if (row.tile_peak[t] >= row.split.high) {
      n += split_tile(row, t, listed + n, &upper_count);
    } else if (row.tile_peak[t] >= row.split.low) {
      n += list_tile(row, t, listed + n);
    }
  }
  b.listed_count = n;
  b.upper_count = upper_count;
  b.listed_mass = sum_masses(listed, n, row.against);
}

// Cuts the row at low ≤ high. high = +inf: there is no upper part.
static void split_row(Row* row, float low, float high) {
  Split& s = row->split;
  s = {.low = low, .high = high, .upper_mass = 0, .listed_mass = 0, .upper_count = 0, .listed_count = 0};
  each_block(*row, row->vocabulary, [&](int first, int last) {
    for (int b = first, at = first * kSampleBlock; b < last; ++b) {
      split_block(*row, b, at);
      at += row->room.block[b].listed_count;
    }
  });
  // Parts that different threads took have gaps between them.
  for (int b = 0; b < num_blocks(*row); ++b) {
    const SampleBlock& block = row->room.block[b];
    if (block.listed_first != s.listed_count)
      __builtin_memmove(row->room.listed + s.listed_count, row->room.listed + block.listed_first,
                        static_cast<size_t>(block.listed_count) * sizeof(float));
    for (int t = b * kBlockTiles; t < block_end(*row, b); ++t) {
      row->room.tile_start[t] += s.listed_count;
      s.upper_mass += row->room.tile_upper[t];
    }
    s.listed_count += block.listed_count;
    s.listed_mass += block.listed_mass;
    s.upper_count += block.upper_count;
  }
  row->room.tile_start[row->num_tiles] = s.listed_count;
  row->is_split = true;
}

}  // namespace genlib::GENLIB_WIDTH
