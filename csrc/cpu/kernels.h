// What each vector width provides: one table for each, filled by its unit in csrc/cpu/widths; `Runtime`
// chooses one, once.
//
// The functions are pure loops over the rows (or panels) that they are given: no threads, no allocation, no
// exceptions, no checks (the operations have made them). All widths give the same bits. `scratch` is 64-byte
// aligned and belongs to the calling thread.
#pragma once

#include <cstdint>

#include "base/pages.h"

namespace genlib {

enum class Width { kBaseline, kAvx2, kAvx512 };
// Of weights and of logits, as they lie in memory.
enum class FloatType { kFloat32, kBfloat16, kFloat16 };

inline constexpr int kLanes = 16;          // of a vector in simd.h, whatever the machine's own hold
inline constexpr int kPanel = 2 * kLanes;  // outputs of one panel of packed weights
inline constexpr int kChunk = 256;         // positions whose softmax is merged as one, at fixed multiples
inline constexpr int kAttendRows = 24;     // most query rows of one block
inline constexpr int kMostHeadSize = 1024;
// Attention reads a dimension of all keys of a page as one vector.
static_assert(kPageSize == kLanes);

struct LinearArgs {
  const float* x;      // [rows, in]
  const void* panels;  // [ceil(out / kPanel), in, kPanel] as weight.h says
  const float* bias;   // [out] or null
  float* out;          // [rows, out]
  int64_t in, out_size;
  FloatType type;
  bool cached;  // whether the weights are likely to be found in a cache: speed only, never bits
};

struct NormArgs {
  const float* x;       // [rows, size]
  float* residual;      // [rows, size] or null
  const float* weight;  // [size]
  float* out;           // [rows, size]
  int64_t size;
  float eps;
};

struct SiluArgs {
  const float* x;  // [rows, 2 · size]
  float* out;      // [rows, size]
  int64_t size;
};

// One layer's pages: page p and head g lie at data + p · page_stride + g · head_stride, keys as D × W (a
// vector's lanes are positions), then values as W × padded_size (D rounded up to whole vectors).
struct LayerPages {
  float* data;
  int64_t page_stride, head_stride;
  int kv_heads, head_size, padded_size;
};

struct RopeArgs {
  const float* qkv;        // [N, (H + 2G) · D]
  const float* q_norm;     // [D] or null
  const float* k_norm;     // [D] or null
  const float *cos, *sin;  // [positions, D / 2]
  float* out;              // [N, H · D]
  LayerPages pages;
  const int32_t* positions;  // [N]
  const int32_t* starts;     // [S + 1]
  const int32_t* tables;     // [S, max_pages]
  int64_t max_pages;
  int heads, num_seqs;
  float eps;
};

struct AttendArgs {
  const float* q;  // [N, H · D]
  float* out;      // [N, H · D]
  LayerPages pages;
  const int32_t* positions;  // [N]
  const int32_t* starts;     // [S + 1]
  const int32_t* tables;     // [S, max_pages]
  int64_t max_pages;
  int heads;
  float scale;  // 1 / √D
};

// Rows of one key/value head, at most kAttendRows: row j is query token starts[seq] + j / (H / G), and query
// head j % (H / G) of the group. They belong to one sequence, with ascending lengths; or, with `one_each`,
// each query token is a sequence of its own, from seq on, of any length.
struct RowBlock {
  int seq, kv_head, first, last;
  bool one_each;
};

// What rows have summed so far, [kAttendRows, padded_size + kLanes]: the weighted values, then maximum and
// mass.
struct Partial {
  float* data;
};

// csrc/cpu/sampling/sampling.h, csrc/cpu/beam/beam.h
struct LogitArgs;
struct SampleArgs;
struct SampleTeam;
struct BeamRow;
struct BeamCandidate;
struct BeamFound;

struct Kernels {
  void (*linear_panels)(const LinearArgs&, int64_t first_panel, int64_t last_panel, int64_t first_row,
                        int64_t last_row);
  void (*norm_rows)(const NormArgs&, int64_t first, int64_t last);
  void (*silu_rows)(const SiluArgs&, int64_t first, int64_t last);
  void (*rope_rows)(const RopeArgs&, int64_t first, int64_t last);
  // The rows' sums over positions 256 · chunk … of their own length.
  void (*attend_chunk)(const AttendArgs&, const RowBlock&, int chunk, Partial, void* scratch);
  // into += the sums of `chunk`, for those rows that reach it. Chunk 0 goes straight into `into`.
  void (*attend_merge)(const AttendArgs&, const RowBlock&, int chunk, Partial from, Partial into);
  void (*attend_finish)(const AttendArgs&, const RowBlock&, Partial);
  void (*sample_rows)(const SampleArgs& args, int first_row, int last_row, void* scratch,
                      const SampleTeam* team);
  BeamFound (*beam_row)(const LogitArgs& args, const BeamRow& beam, BeamCandidate* to, void* scratch);
  // Reads all of [first, last), whole 64-byte lines, and returns a value that depends on all of it.
  float (*read_all)(const float* first, const float* last);
};

const Kernels& kernels(Width width);
// Whether this build and this machine can run `width`.
bool is_supported(Width width);
Width widest();

const Kernels& kernels_baseline();
#if defined(__x86_64__)
const Kernels& kernels_avx2();
const Kernels& kernels_avx512();
#endif

}  // namespace genlib
