// The sampler: a token, its probabilities and the number kept, for each row. docs/kernels.md is the contract.
#pragma once

#include "base/philox.h"
#include "cpu/sampling/row.inc.h"
#include "cpu/sampling/sampling.h"
#include "cpu/sampling/select.inc.h"
#include "cpu/sampling/top.inc.h"
#include "cpu/sampling/values.inc.h"

namespace genlib::GENLIB_WIDTH {

// What may be drawn: all above `value`, and what equals it up to the id `last_tie`. Its mass per tile is in
// row.room.tile_kept.
struct Kept {
  float value;
  int last_tie;
  int count;
  uint64_t mass;
};

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

// What each tile has of the list above a boundary: its mass beside the upper part's, its number, and the
// ties.
static void weigh_tiles(const Row& row, float boundary) {
  each_block(row, row.split.listed_count, [&](int first_block, int last_block) {
    for (int t = first_block * kBlockTiles; t < block_end(row, last_block - 1); ++t) {
      u64x16 mass = {};
      int over = 0, ties = 0, i = row.room.tile_start[t];
      const int end = row.room.tile_start[t + 1];
      for (; i < end; i += kLanes) {
        const f32x16 x = load_values(row.room.listed + i, end - i);
        const Choice chosen = above(x, boundary);
        mass = add_chosen(mass, chosen, masses_to_choose(powers(x, row.against)));
        over += __builtin_popcount(bits_of(chosen));
        ties += __builtin_popcount(bits_of(without(at_least(x, boundary), chosen)));
      }
      row.room.tile_kept[t] = row.room.tile_upper[t] + sum(mass);
      row.room.tile_over[t] = over;
      row.room.tile_ties[t] = ties;
    }
  });
}

// Sums what a boundary in the list keeps.
static Kept keep(const Row& row, const Boundary& boundary) {
  Kept kept = {boundary.value, kAllTies, row.split.upper_count, 0};
  const uint64_t tie_mass = sampling::mass((boundary.value - row.against.peak) * row.against.scale);
  int ties_left = boundary.ties;
  weigh_tiles(row, boundary.value);
  for (int t = 0; t < row.num_tiles; ++t) {
    const int ties = row.room.tile_ties[t], taken = ties < ties_left ? ties : ties_left;
    if (taken > 0 && taken == ties_left) kept.last_tie = nth_tie(row, t, boundary.value, taken);
    ties_left -= taken;
    row.room.tile_kept[t] += static_cast<uint64_t>(taken) * tie_mass;
    kept.mass += row.room.tile_kept[t];
    kept.count += row.room.tile_over[t] + taken;
  }
  return kept;
}

// Top-k, top-p and min-p of a row: 0, 0 and kLowest where they leave everything.
struct Cuts {
  uint64_t top_k;
  uint32_t top_p;
  float floor;

  // Whether the mass of the whole row is needed.
  bool need_total() const { return top_k == 0 && (top_p != 0 || floor == kLowest); }
};

static Cuts cuts_of(const SampleArgs& args, int r, const Row& row) {
  const bool cuts_values = args.min_p[r] > -__builtin_inff();
  return {args.top_k[r] < row.num_finite ? static_cast<uint64_t>(args.top_k[r]) : 0, args.top_p[r],
          cuts_values ? sampling::min_p_floor(args.min_p[r], row.against.peak, row.against.scale) : kLowest};
}

// `total` is the mass of the row, whose tiles' are in tile_kept, if the cuts need it.
static Kept truncate(Row* row, const Cuts& cuts, uint64_t total) {
  Boundary boundary = {kLowest, kAllTies};
  Kept kept = {kLowest, kAllTies, row->num_finite, total};
  if (cuts.top_k != 0) {
    boundary = find_boundary<Measure::kCount>(row, cuts.top_k, static_cast<uint64_t>(row->num_finite));
    kept = keep(*row, boundary);
  }
  if (cuts.top_p != 0) {
    boundary = find_boundary<Measure::kMass>(row, sampling::top_p_target(cuts.top_p, kept.mass), total);
    kept = keep(*row, boundary);
  }
  if (cuts.floor > boundary.value) {
    if (!row->is_split || cuts.floor > row->split.high) split_row(row, cuts.floor, cuts.floor);
    kept = keep(*row, {cuts.floor, kAllTies});
  }
  return kept;
}

static int draw(const Row& row, const Kept& kept, uint64_t word) {
  uint64_t r = static_cast<uint64_t>((static_cast<unsigned __int128>(word) * kept.mass) >> 64);
  int tile = 0;
  for (; r >= row.room.tile_kept[tile]; ++tile) r -= row.room.tile_kept[tile];
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

static void sample_drawn(const SampleArgs& args, int r, Row* row, const Cuts& cuts, uint64_t total) {
  const Kept kept = truncate(row, cuts, total);
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

// Token `token`, of what the model gave.
static void report_model(const SampleArgs& args, int r, const Row& model, uint64_t total,
                         double log_of_total) {
  const float value = model.values[args.token[r]];
  args.probability[r] = sampling::probability((value - model.against.peak) * model.against.scale, total);
  args.logprob[r] = sampling::logprob(value, model.against.peak, log_of_total);
}

static void sample_row(const SampleArgs& args, int r, const SampleScratch& room, const SampleTeam* team) {
  Row model = read_logits(args, r, room, team);
  Row row = process(args, r, model);
  if (model.against.peak == __builtin_inff() || row.against.peak == __builtin_inff())
    return sampling::write_failure(args, r, sampling::kInfinite);
  if (row.against.peak == -__builtin_inff())
    return sampling::write_failure(args, r, sampling::kNothingFinite);
  const bool is_greedy = args.scale[r] == 0;
  const Cuts cuts = is_greedy ? Cuts{} : cuts_of(args, r, row);
  const bool is_model = row.values == model.values && row.against.scale == model.against.scale;
  const bool needs_sum = !is_greedy && !is_model && cuts.need_total();
  const Totals totals = sum_tiles(model, needs_sum ? &row : nullptr);
  if (is_greedy) {
    sample_greedy(args, r, row);
  } else {
    sample_drawn(args, r, &row, cuts, totals.row);
  }
  const double log_of_total = sampling::log_total(totals.model);
  report_model(args, r, model, totals.model, log_of_total);
  if (args.top_n[r] > 0) report_top(args, r, &model, totals.model, log_of_total);
  args.status[r] = sampling::kSampled;
}

// Rows first_row to last_row, which check_sample_rows has passed. scratch: sample_scratch_bytes(V), 64-byte
// aligned. team: works on each row together, if it is not null.
inline void sample_rows(const SampleArgs& args, int first_row, int last_row, void* scratch,
                        const SampleTeam* team) {
  const SampleScratch room = sample_scratch(scratch, args.vocabulary);
  for (int r = first_row; r < last_row; ++r) sample_row(args, r, room, team);
}

}  // namespace genlib::GENLIB_WIDTH
