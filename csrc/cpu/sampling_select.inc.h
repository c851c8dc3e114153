// Where top-k and top-p cut the order of the tokens: exactly, and without sorting the vocabulary.
//
// A guess from a sample says between which two values the boundary lies; one pass lists what lies there (and
// sums what lies above); the list is narrowed until it can be sorted. A wrong guess costs a pass, never
// exactness.
#pragma once

namespace genlib::GENLIB_WIDTH {

// What a boundary counts: tokens for top-k, mass for top-p.
enum class Measure { kCount, kMass };

inline constexpr int kProbes = 15;
inline constexpr int kSortable = 48;
inline constexpr int kSampleVectors = 64;
inline constexpr int kSampleSize = kSampleVectors * kLanes;
inline constexpr int kGuesses = 32;

GENLIB_INLINE uint64_t weight_of(Measure measure, float value, const Against& a) {
  return measure == Measure::kCount ? 1 : sampling::mass((value - a.peak) * a.scale);
}

// weight[j] = that of values[0..n) at or above probe[j].
template <Measure kMeasure>
static void weigh(const float* values, int n, const Against& a, const float* probe, uint64_t* weight) {
  u64x16 sums[kProbes] = {};
  for (int j = 0; j < kProbes; ++j) weight[j] = 0;
  for (int i = 0; i < n; i += kLanes) {
    const f32x16 x = load_values(values + i, n - i);
    if (kMeasure == Measure::kCount) {
      for (int j = 0; j < kProbes; ++j)
        weight[j] += static_cast<uint64_t>(__builtin_popcount(bits_of(at_least(x, probe[j]))));
    } else {
      const Powers at = powers(x, a);
      for (int j = 0; j < kProbes; ++j)
        sums[j] = sums[j] + masses({only(at_least(x, probe[j]), at.significand), at.shift});
    }
  }
  if (kMeasure == Measure::kMass)
    for (int j = 0; j < kProbes; ++j) weight[j] = sum(sums[j]);
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

// Where the weight of values[0..n), largest first, reaches `wanted`: at least 1, at most their whole weight.
// They are finite. Narrows an open interval of values; one probe halves it as integers, so that it ends.
template <Measure kMeasure>
static Boundary find_in_list(const float* values, int n, float* work, const Against& a, uint64_t wanted) {
  int64_t low = int64_t{sampling::order_key(kLowest)} - 1, high = int64_t{sampling::order_key(a.peak)} + 1;
  while (n >= kSortable) {
    float probe[kProbes];
    uint64_t weight[kProbes];
    for (int j = 1; j < kProbes; ++j) probe[j] = values[static_cast<int64_t>(j) * n / kProbes];
    probe[0] = sampling::from_order_key(static_cast<int32_t>(low + (high - low) / 2));
    weigh<kMeasure>(values, n, a, probe, weight);
    float below = -__builtin_inff(), beyond = __builtin_inff();
    uint64_t skipped = 0;
    for (int j = 0; j < kProbes; ++j) {
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
        kMeasure == Measure::kCount ? static_cast<uint64_t>(inside) : sum_list(work, inside, a);
    if (left < wanted) {
      const uint64_t each = weight_of(kMeasure, below, a);
      return {below, static_cast<int>((wanted - left + each - 1) / each)};
    }
    if (below >= kLowest) low = sampling::order_key(below);
    if (beyond <= a.peak) high = sampling::order_key(beyond);
    values = work;
    n = inside;
  }
  return walk_sorted<kMeasure>(values, n, a, wanted);
}

struct Guess {
  float low, high;
};

// From the values of a sample, [kSampleSize] in row.work, how a row of these is best cut for a boundary that
// leaves `rest` (in units of the sample: tokens, or mass / 2^40) below it.
template <Measure kMeasure>
static Guess guess_from_sample(const Row& row, float rest) {
  const float* values = row.work;
  float* weights = row.work + kSampleSize;
  const u32x16 one = fill(1u);
  for (int i = 0; i < kSampleSize; i += kLanes) {
    const f32x16 x = load(values + i);
    const Powers at = powers(x, row.against);
    const u32x16 exponent = (fill(23u) - at.shift) << fill(23u);
    const f32x16 y = (x - fill(row.against.peak)) * fill(row.against.scale);
    const u32x16 weight =
        kMeasure == Measure::kCount ? bit_cast<uint32_t>(fill(1.0f)) : at.significand + exponent;
    store(weights + i,
          bit_cast<float>(only(at_least(y, kMeasure == Measure::kCount ? kLowest : -60.0f), weight)));
  }
  Guess guess = {kLowest, __builtin_inff()};
  for (int j = 0; j < kGuesses; ++j) {
    const float probe = values[j * (kSampleSize / kGuesses) + j % kLanes];
    if (!(probe >= kLowest)) continue;
    f32x16 tail = {}, squares = {};
    u32x16 counts = {};
    for (int i = 0; i < kSampleSize; i += kLanes) {
      const Choice over = at_least(load(values + i), probe);
      const f32x16 all = load(weights + i);
      const f32x16 w = all - bit_cast<float>(only(over, bit_cast<uint32_t>(all)));
      tail = tail + w;
      squares = squares + w * w;
      counts = counts + only(over, one);
    }
    uint32_t count[kLanes];
    store(count, counts);
    uint32_t over = 0;
    for (const uint32_t n : count) over += n;
    const float below = sum(tail), doubt = 4 * __builtin_sqrtf(sum(squares));
    if (below + doubt <= rest && probe > guess.low) guess.low = probe;
    if (below - doubt >= rest && over >= kSampleSize / 8 && probe < guess.high) guess.high = probe;
  }
  return guess;
}

// Where to cut the row first. `total` is the row's whole weight.
template <Measure kMeasure>
static Guess guess_split(const Row& row, uint64_t wanted, uint64_t total) {
  const Guess whole = {kLowest, __builtin_inff()};
  if (row.vocabulary < 4 * kSampleSize) return whole;
  if (kMeasure == Measure::kCount && wanted <= static_cast<uint64_t>(row.num_tiles) / 2) {
    // The k-th largest of the tiles' peaks: at least k tokens are at or above it.
    int n = 0;
    for (int i = 0; i < row.num_tiles; i += kLanes) {
      const f32x16 x = load_values(row.tile_peak + i, row.num_tiles - i);
      n += compress(row.work + n, at_least(x, kLowest), x);
    }
    if (static_cast<uint64_t>(n) < wanted) return whole;
    return {find_in_list<kMeasure>(row.work, n, row.work, row.against, wanted).value, __builtin_inff()};
  }
  const int vectors = row.vocabulary / kLanes;
  for (int i = 0; i < kSampleVectors; ++i) {
    const int64_t from = static_cast<int64_t>(i) * vectors / kSampleVectors * kLanes;
    store(row.work + i * kLanes, load(row.values + from));
  }
  const float share = static_cast<float>(kSampleSize) / static_cast<float>(row.vocabulary);
  const float unit = kMeasure == Measure::kCount ? 1.0f : 0x1p-40f;
  return guess_from_sample<kMeasure>(row, static_cast<float>(total - wanted) * unit * share);
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
      return find_in_list<kMeasure>(row->listed, s.listed_count, row->work, row->against, wanted - upper);
    if (wanted <= upper) {
      split_row(row, s.high, __builtin_inff());
    } else {
      split_row(row, kLowest, s.low);
    }
  }
}

}  // namespace genlib::GENLIB_WIDTH
