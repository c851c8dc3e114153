// The sampler's arguments, and its arithmetic once per row. The contract: docs/kernels.md; the specification:
// genlib/ops/reference_sampling.py, which this equals bit for bit on every vector width.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/kernels.h"

namespace genlib {

struct LogitArgs {
  const void* logits;  // [R, V], rows logits_stride elements apart
  int64_t logits_stride;
  FloatType logit_type;
  int32_t vocabulary;  // V: 1 to kMaxVocabulary
};

// Pointers into the caller's buffers, which a step reads and writes and nothing else may change while it
// runs. Fields as in RowParams and SamplerOutput.
struct SampleArgs : LogitArgs {
  const float* scale;
  const int32_t* top_k;
  const uint32_t* top_p;
  const float* min_p;
  const uint64_t* seed;
  const uint64_t* stream;
  const int64_t* position;
  const int32_t* mask;  // a row of masks, or -1
  const int32_t* forced;
  const int32_t* top_n;
  const float *repetition, *presence, *frequency;
  const int64_t* edit_start;
  const int32_t* edit_count;
  const uint32_t* masks;  // [num_masks, ...], rows masks_stride words apart
  int64_t masks_stride, num_masks;
  const int32_t* edit_token;  // [num_edits], as the two below
  const float* edit_bias;
  const int32_t* edit_seen;
  int64_t num_edits;

  int32_t* token;
  float* probability;
  float* logprob;
  float* sampling_probability;
  int32_t* num_kept;
  int32_t* status;
  int32_t* top_token;  // [R, top_columns], as the two below
  float* top_probability;
  float* top_logprob;
  int64_t top_columns;
};

// Sums of masses stay below 2^64 up to 11,863,282 tokens.
inline constexpr int kMaxVocabulary = 1 << 20;

// Tokens whose masses are summed together. Results do not depend on it: sums are exact.
inline constexpr int kSampleTile = 512;

// Tiles that one thread takes together, where several work on one row.
inline constexpr int kBlockTiles = 8;
inline constexpr int kSampleBlock = kBlockTiles * kSampleTile;

// A pass that computes the masses of at least this many values is shared among threads: it takes 5 us, and
// sharing costs 1.5.
inline constexpr int kShareable = 40960;

inline constexpr int kMaxTopN = 64;

// Checks all that the contract requires of the parameters of rows 0 to rows - 1: whatever the buffers hold,
// the sampler then neither reads nor writes outside of them, and ends. Throws ArgumentError, which names the
// field, its row, the rule and the value, before anything is written.
void check_sample_rows(const SampleArgs& args, int64_t rows);

// Threads that work on one row together: each(self, n, body, argument) calls body(argument, first, last) for
// parts that cover 0 to n, on any of them, and returns when all are done.
struct SampleTeam {
  void* self;
  void (*each)(void* self, int n, void (*body)(void* argument, int first, int last), void* argument);
};

// What a pass over a block found.
struct SampleBlock {
  uint64_t listed_mass;
  float peak;
  int num_finite, upper_count;
  int listed_first, listed_count;  // its share of `listed`
};

// Scratch of one row. Each array begins at a cache line.
struct SampleScratch {
  SampleBlock* block;    // [blocks]
  uint64_t* tile_upper;  // [tiles] mass at or above a split's upper value
  uint64_t* tile_kept;   // [tiles] mass of what may be drawn
  float* model_peak;     // [tiles] the largest logit
  float* tile_peak;      // [tiles] the largest of the values drawn from
  int* tile_start;       // [tiles + 1] of the tile's share of `listed`
  int* tile_over;        // [tiles] how many of that share are above a boundary
  int* tile_ties;        // [tiles] and how many equal it
  float* listed;         // [V] values that a split lists, in the order of ids
  float* work;           // [V]
  float* widened;        // [V] logits of 16 bits as float32
  float* processed;      // [V] values drawn from, where they are not the logits
};
SampleScratch sample_scratch(void* at, int vocabulary);  // at: sample_scratch_bytes, aligned to 64
size_t sample_scratch_bytes(int vocabulary);

namespace sampling {

inline constexpr float kModelScale = 0x1.715476p+0f;  // float32(log2 e): temperature 1

enum Status : int32_t { kSampled = 0, kNothingFinite = 1, kInfinite = 2 };

// A token's mass and more than its mass: 2^(y + 1/2) = p * 2^n, for y = (value - peak) * scale.
struct Power {
  float p;
  int n;
};
Power power(float y);
uint64_t mass(float y);

// max(1, ceil(top_p * total / 2^32)).
uint64_t top_p_target(uint32_t top_p, uint64_t total);

// A value after entry `entry` of the row's edits: bias and penalties.
float edited(const SampleArgs& args, int row, int64_t entry, float value);

float probability(float y, uint64_t total);
// ln(total / mass of the first token), which logprob subtracts.
double log_total(uint64_t total);
float logprob(float value, float peak, double log_of_total);

// The smallest float whose exponent reaches min_p: exponents rise with the value, so comparing values is
// enough.
float min_p_floor(float min_p, float peak, float scale);

// Floats as integers in the order of their values, and back.
int32_t order_key(float x);
float from_order_key(int32_t key);

void write_failure(const SampleArgs& args, int row, Status status);
// Writes "none" for the row's most likely tokens from number `first` on.
void write_no_top(const SampleArgs& args, int row, int first);

}  // namespace sampling
}  // namespace genlib
