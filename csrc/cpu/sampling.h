// The sampler's arguments, and its arithmetic once per row. The contract: docs/kernels.md; the specification:
// genlib/ops/reference_sampling.py, which this equals bit for bit on every vector width.
#pragma once

#include <cstddef>
#include <cstdint>

namespace genlib {

// Pointers into the caller's buffers, read and written when the step runs. Fields as in RowParams and Drawn.
struct SampleArgs {
  const float* logits;  // [R, V], rows logits_stride floats apart
  int64_t logits_stride;
  int32_t vocabulary;        // V: 1 to kMaxVocabulary
  const int32_t* num_draws;  // [1]: rows behind it are neither read nor written

  const float* scale;
  const int32_t* top_k;
  const uint32_t* top_p;
  const float* min_p;
  const uint64_t* seed;
  const uint64_t* stream;
  const int64_t* position;
  const int32_t* mask;    // a row of masks, or -1
  const int32_t* forced;  // below V
  const uint32_t* masks;  // rows masks_stride words apart
  int64_t masks_stride;

  int32_t* token;
  float* probability;
  float* logprob;
  float* sampling_probability;
  int32_t* num_kept;
  int32_t* status;
};

// Sums of masses stay below 2^64 up to 11,863,282 tokens.
inline constexpr int kMaxVocabulary = 1 << 20;

// Tokens whose masses are summed together. Results do not depend on it: sums are exact.
inline constexpr int kSampleTile = 512;

// What one thread needs while it samples, one row after another; aligned to 64 bytes.
size_t sample_scratch_bytes(int vocabulary);

namespace sampling {

inline constexpr float kModelScale = 0x1.715476p+0f;  // float32(log2 e): temperature 1

enum Status : int32_t { kDrawn = 0, kNothingFinite = 1, kInfinite = 2 };

// A token's mass and more than its mass: 2^(y + 1/2) = p * 2^n, for y = (value - peak) * scale.
struct Power {
  float p;
  int n;
};
Power power(float y);
uint64_t mass(float y);

// As text: max(1, ceil(top_p * total / 2^32)).
uint64_t top_p_target(uint32_t top_p, uint64_t total);

float probability(float y, uint64_t total);
float logprob(float value, float peak, uint64_t total);

// The smallest float whose exponent reaches min_p: exponents rise with the value, so a compare of values
// does.
float min_p_floor(float min_p, float peak, float scale);

// Floats as integers in the order of their values, and back.
int32_t order_key(float x);
float from_order_key(int32_t key);

void write_failure(const SampleArgs& args, int row, Status status);

}  // namespace sampling
}  // namespace genlib
