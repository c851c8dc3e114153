// Attention of a step's queries over the pages of their sequences.
#pragma once

#include <memory>

#include "cpu/kv_pages.h"
#include "cpu/program/plan.h"
#include "cpu/program/program.h"

namespace genlib {

Operation attend(Runtime& runtime, const float* q, std::shared_ptr<KvPages> kv, int layer,
                 const PlanView& plan, float* out);

}  // namespace genlib
