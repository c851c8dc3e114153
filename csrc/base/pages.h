// The size of a page, and what page ids have in common everywhere.
#pragma once

#include <cstdint>

namespace genlib {

// W: positions per page. A constant of the build, so that position / W is a shift everywhere.
inline constexpr int32_t kPageSize = 16;

// "No page", in every field that holds a page id.
inline constexpr int32_t kNoPage = -1;

// Pages that hold `tokens` tokens.
constexpr int64_t pages_for(int64_t tokens) { return (tokens + kPageSize - 1) / kPageSize; }

}  // namespace genlib
