// A step's draws: how the rows are split over the threads.
#pragma once

#include "cpu/program/plan.h"
#include "cpu/program/program.h"
#include "cpu/sampling/sampling.h"

namespace genlib {

// Draws from the first `rows` rows of the logits.
Operation sample(Runtime& runtime, const SampleArgs& args, Count rows);

}  // namespace genlib
