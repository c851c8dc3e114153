// Between which two values a boundary probably lies, as a sample of the values says.
#pragma once

#include "cpu/sampling/row.inc.h"

namespace genlib::GENLIB_WIDTH {

// What a boundary counts: tokens for top-k, mass for top-p.
enum class Measure { kCount, kMass };

inline constexpr int kSampleVectors = 64;
inline constexpr int kSampleSize = kSampleVectors * kLanes;
inline constexpr int kGuessable = 4 * kSampleSize;  // fewer values are not worth sampling
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

}  // namespace genlib::GENLIB_WIDTH
