// The sampler: a token, its probabilities and the number kept, for each row. docs/kernels.md is the contract.
#pragma once

#include "cpu/sampling.h"
#include "cpu/sampling_mass.inc.h"
#include "cpu/sampling_row.inc.h"
#include "cpu/sampling_select.inc.h"
#include "philox.h"

namespace genlib::GENLIB_WIDTH {

// What may be drawn: all above `value`, and what equals it up to the id `last_tie`. Its mass per tile is in
// row.tile_kept.
struct Kept {
  float value;
  int last_tie;
  int count;
  uint64_t mass;
};

// values[i] where bit i of the mask is set; −inf elsewhere, and for NaN.
static void apply_mask(const float* values, const uint32_t* allowed, int n, float* to) {
  static constexpr uint32_t kBit[kLanes] = {1u << 0,  1u << 1,  1u << 2,  1u << 3, 1u << 4,  1u << 5,
                                            1u << 6,  1u << 7,  1u << 8,  1u << 9, 1u << 10, 1u << 11,
                                            1u << 12, 1u << 13, 1u << 14, 1u << 15};
  const u32x16 bit = load(kBit);
  const f32x16 none = fill(-__builtin_inff());
  for (int i = 0; i < n; i += kLanes) {
    const u32x16 word = fill(allowed[i / 32] >> (i % 32)) & bit;
    const f32x16 x = load_values(values + i, n - i);
    f32x16 r;
    for (int j = 0; j < f32x16::kParts; ++j) r.part[j] = word.part[j] != 0 ? x.part[j] : none.part[j];
    store_first(to + i, max(r, none), n - i);
  }
}

GENLIB_INLINE uint32_t lowest_bits(int n) { return n >= kLanes ? 0xFFFFu : (n <= 0 ? 0u : (1u << n) - 1u); }

// Which of the sixteen values from id `first` are kept.
GENLIB_INLINE uint32_t kept_bits(const Kept& kept, const f32x16& x, int first) {
  const uint32_t over = bits_of(above(x, kept.value));
  const uint32_t ties = bits_of(at_least(x, kept.value)) & ~over;
  return over | (ties & lowest_bits(kept.last_tie - first + 1));
}

// The id of the n-th token of a tile that equals `value`.
static int nth_tie(const Row& row, int tile, float value, int n) {
  int i = tile * kSampleTile;
  for (;; ++i)
    if (row.values[i] == value && --n == 0) return i;
}

// Sums what a boundary in the list keeps.
static Kept keep(const Row& row, const Boundary& boundary) {
  Kept kept = {boundary.value, kAllTies, row.split.upper_count, 0};
  const uint64_t tie_mass = sampling::mass((boundary.value - row.against.peak) * row.against.scale);
  int ties_left = boundary.ties;
  for (int t = 0; t < row.num_tiles; ++t) {
    u64x16 over_mass = {};
    int over = 0, ties = 0, i = row.tile_start[t];
    const int end = row.tile_start[t + 1];
    for (; i < end; i += kLanes) {
      const f32x16 x = load_values(row.listed + i, end - i);
      const Choice chosen = above(x, boundary.value);
      over_mass = add_chosen(over_mass, chosen, masses_to_choose(powers(x, row.against)));
      over += __builtin_popcount(bits_of(chosen));
      ties += __builtin_popcount(bits_of(without(at_least(x, boundary.value), chosen)));
    }
    const int taken = ties < ties_left ? ties : ties_left;
    if (taken > 0 && taken == ties_left) kept.last_tie = nth_tie(row, t, boundary.value, taken);
    ties_left -= taken;
    row.tile_kept[t] = row.tile_upper[t] + sum(over_mass) + static_cast<uint64_t>(taken) * tie_mass;
    kept.mass += row.tile_kept[t];
    kept.count += over + taken;
  }
  return kept;
}

// Top-k, top-p and min-p. `total` is the mass of the row, which tile_kept then holds, or 0 if it is not
// known.
static Kept truncate(Row* row, int top_k, uint32_t top_p, float min_p, uint64_t total) {
  Boundary boundary = {kLowest, kAllTies};
  const bool by_count = top_k > 0 && top_k < row->num_finite;
  const bool by_value = min_p > -__builtin_inff();
  if (total == 0 && !by_count && (top_p != 0 || !by_value))
    total = sum_tiles(*row, row->values, row->against);
  Kept kept = {kLowest, kAllTies, row->num_finite, total};
  if (by_count) {
    boundary = find_boundary<Measure::kCount>(row, static_cast<uint64_t>(top_k),
                                              static_cast<uint64_t>(row->num_finite));
    kept = keep(*row, boundary);
  }
  if (top_p != 0) {
    boundary = find_boundary<Measure::kMass>(row, sampling::top_p_target(top_p, kept.mass), total);
    kept = keep(*row, boundary);
  }
  if (by_value) {
    const float floor = sampling::min_p_floor(min_p, row->against.peak, row->against.scale);
    if (floor > boundary.value) {
      if (!row->is_split || floor > row->split.high) split_row(row, floor, floor);
      kept = keep(*row, {floor, kAllTies});
    }
  }
  return kept;
}

static int draw(const Row& row, const Kept& kept, uint64_t word) {
  uint64_t r = static_cast<uint64_t>((static_cast<unsigned __int128>(word) * kept.mass) >> 64);
  int tile = 0;
  for (; r >= row.tile_kept[tile]; ++tile) r -= row.tile_kept[tile];
  for (int i = tile * kSampleTile;; i += kLanes) {
    const f32x16 x = load_values(row.values + i, tile_end(row, tile) - i);
    uint64_t mass[kLanes];
    store_masses(mass, x, row.against);
    for (uint32_t bits = kept_bits(kept, x, i); bits != 0; bits &= bits - 1) {
      const int lane = __builtin_ctz(bits);
      if (r < mass[lane]) return i + lane;
      r -= mass[lane];
    }
  }
}

GENLIB_INLINE int first_equal(const Row& row, float value) {
  int tile = 0;
  while (row.tile_peak[tile] != value) ++tile;
  return nth_tie(row, tile, value, 1);
}

static void sample_greedy(const SampleArgs& args, int r, const Row& row) {
  const int best = first_equal(row, row.against.peak), forced = args.forced[r];
  args.token[r] = forced >= 0 ? forced : best;
  args.sampling_probability[r] = args.token[r] == best ? 1.0f : 0.0f;
  args.num_kept[r] = 1;
}

static void sample_drawn(const SampleArgs& args, int r, Row* row, uint64_t total) {
  const Kept kept = truncate(row, args.top_k[r], args.top_p[r], args.min_p[r], total);
  int token = args.forced[r];
  if (token < 0)
    token =
        draw(*row, kept, random_word(args.seed[r], args.stream[r], static_cast<uint64_t>(args.position[r])));
  const float value = row->values[token];
  const bool is_kept = value > kept.value || (value == kept.value && token <= kept.last_tie);
  args.token[r] = token;
  args.sampling_probability[r] =
      is_kept ? sampling::probability((value - row->against.peak) * row->against.scale, kept.mass) : 0.0f;
  args.num_kept[r] = kept.count;
}

static void sample_row(const SampleArgs& args, int r, void* scratch) {
  const int vocabulary = args.vocabulary;
  const float* logits = args.logits + r * args.logits_stride;
  Row row = lay_out(scratch, vocabulary);
  row.values = logits;
  const Against model = {find_peak(&row), sampling::kModelScale};
  float peak = model.peak;
  if (args.mask[r] >= 0) {
    apply_mask(logits, args.masks + args.mask[r] * args.masks_stride, vocabulary, row.processed);
    row.values = row.processed;
    peak = find_peak(&row);
  }
  if (model.peak == __builtin_inff()) return sampling::write_failure(args, r, sampling::kInfinite);
  if (peak == -__builtin_inff()) return sampling::write_failure(args, r, sampling::kNothingFinite);
  row.against = {peak, args.scale[r]};
  const uint64_t model_total = sum_tiles(row, logits, model);
  if (args.scale[r] == 0) {
    sample_greedy(args, r, row);
  } else {
    const bool is_model = row.values == logits && args.scale[r] == model.scale;
    sample_drawn(args, r, &row, is_model ? model_total : 0);
  }
  const float value = logits[args.token[r]];
  args.probability[r] = sampling::probability((value - model.peak) * model.scale, model_total);
  args.logprob[r] = sampling::logprob(value, model.peak, model_total);
  args.status[r] = sampling::kDrawn;
}

// Rows first_row to last_row, as far as args.num_draws goes. scratch: sample_scratch_bytes(V), 64-byte
// aligned.
inline void sample_rows(const SampleArgs& args, int first_row, int last_row, void* scratch) {
  const int end = last_row < *args.num_draws ? last_row : *args.num_draws;
  for (int r = first_row; r < end; ++r) sample_row(args, r, scratch);
}

}  // namespace genlib::GENLIB_WIDTH
