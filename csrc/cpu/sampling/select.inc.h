// Where top-k and top-p cut the order of the tokens: exactly, and without sorting the vocabulary.
//
// A guess from a sample says between which two values the boundary lies; one pass lists what lies there (and
// sums what lies above); the list is narrowed until it can be sorted. A wrong guess costs a pass, never
// exactness.
#pragma once

#include "cpu/sampling/guess.inc.h"
#include "cpu/sampling/row.inc.h"

namespace genlib::GENLIB_WIDTH {

inline constexpr int kProbes = 15;
inline constexpr int kSortable = 32;

// Fewer values than kSortable: sorts them, and goes down until their weight reaches what is wanted.
template <Measure kMeasure>
static Boundary walk_sorted(const float* values, int n, const Against& a, uint64_t wanted) {
  float sorted[kSortable];
  for (int i = 0; i < n; ++i) {
    int j = i;
    for (; j > 0 && sorted[j - 1] < values[i]; --j) sorted[j] = sorted[j - 1];
    sorted[j] = values[i];
  }
  int first_tie = 0;
  for (int i = 0; i < n; ++i) {
    if (sorted[i] != sorted[first_tie]) first_tie = i;
    const uint64_t weight = weight_of(kMeasure, sorted[i], a);
    if (weight >= wanted) return {sorted[i], i - first_tie + 1};
    wanted -= weight;
  }
  __builtin_unreachable();
}

// Two values between which a boundary lies, and what weighs at or above the larger one.
struct Between {
  float below, beyond;
  uint64_t skipped;
};

// Probes values[0..n), which weigh `all`: at `middle`, and at values of the list or at what a sample
// suggests.
template <Measure kMeasure>
static Between probe_list(const float* values, int n, const Against& a, float middle, uint64_t wanted,
                          uint64_t all) {
  float probe[kProbes];
  uint64_t weight[kProbes];
  int probes = kProbes;
  probe[0] = middle;
  if (n < kGuessable) {
    for (int j = 1; j < kProbes; ++j) probe[j] = values[j * n / kProbes];
    weigh<kMeasure, kProbes>(values, n, a, probe, weight);
  } else {
    const Guess guess = guess_boundary<kMeasure>(values, n, a, all - wanted);
    probes = 3;
    probe[1] = guess.low;
    probe[2] = guess.high;
    weigh<kMeasure, 3>(values, n, a, probe, weight);
  }
  Between found = {-__builtin_inff(), __builtin_inff(), 0};
  for (int j = 0; j < probes; ++j) {
    if (weight[j] >= wanted) {
      found.below = probe[j] > found.below ? probe[j] : found.below;
    } else if (probe[j] < found.beyond) {
      found.beyond = probe[j];
      found.skipped = weight[j];
    }
  }
  return found;
}

// Where the weight of values[0..n), largest first, reaches `wanted`: at least 1, at most `all`, their weight.
// They are finite. Narrows an open interval of values; one probe halves it as integers, so that it ends.
template <Measure kMeasure>
static Boundary find_in_list(const float* values, int n, float* work, const Against& a, uint64_t wanted,
                             uint64_t all) {
  int64_t low = int64_t{sampling::order_key(kLowest)} - 1, high = int64_t{sampling::order_key(a.peak)} + 1;
  while (n >= kSortable) {
    const float middle = sampling::from_order_key(static_cast<int32_t>(low + (high - low) / 2));
    const auto [below, beyond, skipped] = probe_list<kMeasure>(values, n, a, middle, wanted, all);
    wanted -= skipped;
    int inside = 0;
    for (int i = 0; i < n; i += kLanes) {
      const f32x16 x = load_values(values + i, n - i);
      inside += compress(work + inside, without(above(x, below), at_least(x, beyond)), x);
    }
    const uint64_t left =
        kMeasure == Measure::kCount ? static_cast<uint64_t>(inside) : sum_masses(work, inside, a);
    if (left < wanted) {
      const uint64_t each = weight_of(kMeasure, below, a);
      return {below, static_cast<int>((wanted - left + each - 1) / each)};
    }
    if (below >= kLowest) low = sampling::order_key(below);
    if (beyond <= a.peak) high = sampling::order_key(beyond);
    values = work;
    n = inside;
    all = left;
  }
  return walk_sorted<kMeasure>(values, n, a, wanted);
}

// Where to cut the row first. `total` is the row's whole weight.
template <Measure kMeasure>
static Guess guess_split(const Row& row, uint64_t wanted, uint64_t total) {
  const Guess whole = {kLowest, __builtin_inff()};
  if (row.vocabulary < kGuessable) return whole;
  if (kMeasure == Measure::kCount && wanted <= static_cast<uint64_t>(row.num_tiles) / 2) {
    // The k-th largest of the tiles' peaks: at least k tokens are at or above it.
    int n = 0;
    for (int i = 0; i < row.num_tiles; i += kLanes) {
      const f32x16 x = load_values(row.tile_peak + i, row.num_tiles - i);
      n += compress(row.room.work + n, at_least(x, kLowest), x);
    }
    if (static_cast<uint64_t>(n) < wanted) return whole;
    return {
        find_in_list<kMeasure>(row.room.work, n, row.room.work, row.against, wanted, static_cast<uint64_t>(n))
            .value,
        __builtin_inff()};
  }
  return guess_boundary<kMeasure>(row.values, row.vocabulary, row.against, total - wanted);
}

// The boundary of the shortest prefix whose weight reaches `wanted`, out of a row that weighs `total`. Leaves
// the row split so that the boundary lies in its list.
template <Measure kMeasure>
static Boundary find_boundary(Row* row, uint64_t wanted, uint64_t total) {
  if (!row->is_split) {
    const Guess guess = guess_split<kMeasure>(*row, wanted, total);
    split_row(row, guess.low, guess.high > guess.low ? guess.high : guess.low);
  }
  for (;;) {
    const Split& s = row->split;
    const bool by_count = kMeasure == Measure::kCount;
    const uint64_t upper = by_count ? static_cast<uint64_t>(s.upper_count) : s.upper_mass;
    const uint64_t listed = by_count ? static_cast<uint64_t>(s.listed_count) : s.listed_mass;
    if (wanted > upper && wanted - upper <= listed)
      return find_in_list<kMeasure>(row->room.listed, s.listed_count, row->room.work, row->against,
                                    wanted - upper, listed);
    if (wanted <= upper) {
      split_row(row, s.high, __builtin_inff());
    } else {
      split_row(row, kLowest, s.low);
    }
  }
}

}  // namespace genlib::GENLIB_WIDTH
