// The operations of a layer: how the rows of each are split over the threads. Shapes were checked by the
// caller.
#pragma once

#include <cstdint>
#include <memory>

#include "cpu/kv_pages.h"
#include "cpu/layers/weight.h"
#include "cpu/program/plan.h"
#include "cpu/program/program.h"

namespace genlib {

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

}  // namespace genlib
