// Where top-k and top-p cut the order of the tokens: exactly, and without sorting the vocabulary.
//
// A guess from a sample says between which two values the boundary lies; one pass lists what lies there (and
// sums what lies above); the list is narrowed until it can be sorted. A wrong guess costs a pass, never
// exactness.
#pragma once

#include "cpu/sampling/row.inc.h"

namespace genlib::GENLIB_WIDTH {

// What a boundary counts: tokens for top-k, mass for top-p.
enum class Measure { kCount, kMass };

inline constexpr int kProbes = 15;
inline constexpr int kSortable = 32;
inline constexpr int kSampleVectors = 64;
inline constexpr int kSampleSize = kSampleVectors * kLanes;
inline constexpr int kGuessable = 4 * kSampleSize;  // fewer values are not worth a sample
inline constexpr int kGuesses = 16;

GENLIB_INLINE uint64_t weight_of(Measure measure, float value, const Against& a) {
  return measure == Measure::kCount ? 1 : sampling::mass((value - a.peak) * a.scale);
}

// weight[j] = that of values[0..n) at or above probe[j].
template <Measure kMeasure, int kN>
static void weigh(const float* values, int n, const Against& a, const float* probe, uint64_t* weight) {
  u64x16 sums[kN] = {};
  int counts[kN] = {};
  for (int i = 0; i < n; i += kLanes) {
    const f32x16 x = load_values(values + i, n - i);
    if (kMeasure == Measure::kCount) {
      for (int j = 0; j < kN; ++j) counts[j] += __builtin_popcount(bits_of(at_least(x, probe[j])));
    } else {
      const u64x16 mass = masses_to_choose(powers(x, a));
      for (int j = 0; j < kN; ++j) sums[j] = add_chosen(sums[j], at_least(x, probe[j]), mass);
    }
  }
  for (int j = 0; j < kN; ++j)
    weight[j] = kMeasure == Measure::kCount ? static_cast<uint64_t>(counts[j]) : sum(sums[j]);
}

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

// Two values between which a boundary probably lies.
struct Guess {
  float low, high;
};

// A sample of values[0..n) and their weights, and how many values each of it stands for.
struct Sample {
  float values[kSampleSize];
  float weights[kSampleSize];
  float share;
};

template <Measure kMeasure>
static void take_sample(const float* values, int n, const Against& a, Sample* sample) {
  const int vectors = n / kLanes;
  sample->share = static_cast<float>(vectors) / kSampleVectors;
  for (int i = 0; i < kSampleVectors; ++i) {
    const f32x16 x = load(values + static_cast<int64_t>(i) * vectors / kSampleVectors * kLanes);
    const Powers at = powers(x, a);
    // p · 2^n as a float, for y above −60; the rest weighs nothing here.
    const u32x16 mass = at.significand + ((fill(23u) - at.shift) << fill(23u));
    const f32x16 y = (x - fill(a.peak)) * fill(a.scale);
    const Choice some = kMeasure == Measure::kCount ? at_least(x, kLowest) : at_least(y, -60.0f);
    const u32x16 one = bit_cast<uint32_t>(fill(1.0f));
    store(sample->values + i * kLanes, x);
    store(sample->weights + i * kLanes,
          bit_cast<float>(only(some, kMeasure == Measure::kCount ? one : mass)));
  }
}

// Moves the guess closer around a boundary that leaves `rest` below it, in units of the sample, if four
// standard deviations of what the sample says of this probe allow it.
static void try_probe(const Sample& sample, float probe, float rest, float all, Guess* guess) {
  f32x16 tail = {}, squares = {};
  u32x16 counts = {};
  for (int i = 0; i < kSampleSize; i += kLanes) {
    const Choice over = at_least(load(sample.values + i), probe);
    const f32x16 each = load(sample.weights + i);
    const f32x16 below = each - bit_cast<float>(only(over, bit_cast<uint32_t>(each)));
    tail = tail + below;
    squares = squares + below * below;
    counts = counts + only(over, fill(1u));
  }
  const uint32_t over = sum(counts);
  const float below = sum(tail), variance = sum(squares);
  // Of tokens, what is above is as uncertain as what is below, and may be the smaller.
  const float doubt = 4 * __builtin_sqrtf(all > 0 && all - below < variance ? all - below + 1 : variance);
  if (below + doubt <= rest && probe > guess->low) guess->low = probe;
  if (below - doubt >= rest && over >= kSampleSize / 8 && probe < guess->high) guess->high = probe;
}

// Where the boundary that leaves `rest` of the weight below it probably lies. n is at least kGuessable.
template <Measure kMeasure>
static Guess guess_boundary(const float* values, int n, const Against& a, uint64_t rest) {
  Sample sample;
  take_sample<kMeasure>(values, n, a, &sample);
  const float unit = kMeasure == Measure::kCount ? 1.0f : 0x1p-40f;
  const float left = static_cast<float>(rest) * unit / sample.share;
  const float all = kMeasure == Measure::kCount ? static_cast<float>(kSampleSize) : 0.0f;
  Guess guess = {kLowest, __builtin_inff()};
  float inside[kSampleSize + kLanes];
  // First probes from the whole sample, then from what they leave.
  for (int round = 0; round < 2; ++round) {
    int m = 0;
    for (int i = 0; i < kSampleSize; i += kLanes) {
      const f32x16 x = load(sample.values + i);
      m += compress(inside + m, without(at_least(x, guess.low), at_least(x, guess.high)), x);
    }
    for (int j = 0; j < kGuesses && m > 0; ++j)
      try_probe(sample, inside[j * m / kGuesses], left, all, &guess);
  }
  return guess;
}

// Where the weight of values[0..n), largest first, reaches `wanted`: at least 1, at most `all`, their weight.
// They are finite. Narrows an open interval of values; one probe halves it as integers, so that it ends.
template <Measure kMeasure>
static Boundary find_in_list(const float* values, int n, float* work, const Against& a, uint64_t wanted,
                             uint64_t all) {
  int64_t low = int64_t{sampling::order_key(kLowest)} - 1, high = int64_t{sampling::order_key(a.peak)} + 1;
  while (n >= kSortable) {
    float probe[kProbes];
    uint64_t weight[kProbes];
    int probes = kProbes;
    probe[0] = sampling::from_order_key(static_cast<int32_t>(low + (high - low) / 2));
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
    float below = -__builtin_inff(), beyond = __builtin_inff();
    uint64_t skipped = 0;
    for (int j = 0; j < probes; ++j) {
      if (weight[j] >= wanted) {
        below = probe[j] > below ? probe[j] : below;
      } else if (probe[j] < beyond) {
        beyond = probe[j];
        skipped = weight[j];
      }
    }
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
