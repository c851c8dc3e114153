// The machine's read bandwidth, which bounds the speed of steps of few rows.
#pragma once

#include <cstddef>

#include "cpu/program/runtime.h"

namespace genlib {

// Bytes per second that the whole team reads from a buffer of this size, the best of `rounds`.
double read_bandwidth(Runtime& runtime, size_t bytes, int rounds);

}  // namespace genlib
