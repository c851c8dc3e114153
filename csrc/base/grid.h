// A view of a matrix.
#pragma once

#include <cstdint>

namespace genlib {

// A dense row-major matrix in memory that it does not own.
template <typename T>
struct Grid {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  T* row(int64_t index) const { return data + index * columns; }
};

}  // namespace genlib
