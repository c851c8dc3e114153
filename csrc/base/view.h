// What page tables and batches are made of: the page's size, and views of buffers that the caller owns.
#pragma once

#include <cstdint>

namespace genlib {

// W: positions per page. A constant of the build, so that position / W is a shift everywhere.
inline constexpr int32_t kPageSize = 16;

// "No page", in every field that holds a page id.
inline constexpr int32_t kNoPage = -1;

// Pages that hold `tokens` tokens.
constexpr int64_t pages_for(int64_t tokens) { return (tokens + kPageSize - 1) / kPageSize; }

// A dense row-major matrix in memory that somebody else owns.
template <typename T>
struct Grid {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  T* row(int64_t index) const { return data + index * columns; }
};

}  // namespace genlib
