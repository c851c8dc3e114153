// The operations of a program: how each one's rows are split over the threads. Shapes were checked by the
// caller.
#pragma once

#include <cstdint>
#include <memory>

#include "cpu/beam/beam.h"
#include "cpu/kv_pages.h"
#include "cpu/layers/weight.h"
#include "cpu/program/program.h"
#include "cpu/sampling/sampling.h"

namespace genlib {

// How many leading rows are live: read at each run, never more than the buffers hold.
struct Count {
  const int32_t* at;  // null: always `most`
  int64_t most;

  int64_t get() const;
};

// The index tensors of a step, as genlib.ops.base.Plan has them. Page ids and lengths are those that the
// state table wrote: within the tables, they are trusted.
struct PlanView {
  Count num_tokens, num_seqs;
  const int32_t *positions, *starts, *tables;
  int64_t max_pages;
};

Operation embed(const int32_t* ids, std::shared_ptr<const PackedWeight> weight, float* out, Count rows);
// x [sources, size]
Operation gather_rows(const float* x, int64_t sources, int64_t size, const int32_t* index, float* out,
                      Count rows);
Operation linear(const float* x, std::shared_ptr<const PackedWeight> weight, float* out, Count rows);
Operation rms_norm(const NormArgs& args, Count rows);
Operation silu_mul(const SiluArgs& args, Count rows);

struct RopeTensors {
  const float *qkv, *q_norm, *k_norm, *cos, *sin;
  int64_t num_positions;  // rows of cos and sin
  float* out;
  float eps;
};
Operation rope_write(const RopeTensors& tensors, std::shared_ptr<KvPages> kv, int layer,
                     const PlanView& plan);
Operation attend(Runtime& runtime, const float* q, std::shared_ptr<KvPages> kv, int layer,
                 const PlanView& plan, float* out);

// The first `rows` rows of the logits are drawn from.
Operation sample(Runtime& runtime, const SampleArgs& args, Count rows);
Operation beam_step(Runtime& runtime, const BeamArgs& args);

// Bytes per second that the whole team reads from a buffer of this size, the best of `rounds`.
double read_bandwidth(Runtime& runtime, size_t bytes, int rounds);

}  // namespace genlib
