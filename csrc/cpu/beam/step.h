// A step of beam searches.
#pragma once

#include "cpu/beam/beam.h"
#include "cpu/program/program.h"

namespace genlib {

Operation beam_step(Runtime& runtime, const BeamArgs& args);

}  // namespace genlib
