// The names of the vector widths.
#pragma once

#include <string>

#include "base/check.h"
#include "cpu/kernels.h"

namespace genlib {

struct NamedWidth {
  const char* name;
  Width width;
};
inline constexpr NamedWidth kWidths[] = {
    {"avx512", Width::kAvx512}, {"avx2", Width::kAvx2}, {"baseline", Width::kBaseline}};  // widest first

inline const char* name_of(Width width) {
  for (const NamedWidth& each : kWidths)
    if (each.width == width) return each.name;
  return "";
}

inline Width width_named(const std::string& name) {
  for (const NamedWidth& each : kWidths)
    if (each.name == name) return each.width;
  throw ArgumentError(concat("`width` must be \"baseline\", \"avx2\" or \"avx512\", got \"", name, "\""));
}

}  // namespace genlib
