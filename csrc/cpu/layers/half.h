// 16-bit floats to float32, exactly, in integer arithmetic.
#pragma once

#include <cstdint>

namespace genlib {

// IEEE binary16 → the bits of the float32 of the same value; NaNs are made quiet.
[[gnu::always_inline]] static inline uint32_t float_bits_of_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 31u, fraction = half & 1023u;
  if (exponent == 31) return sign | 0x7f800000u | (fraction << 13) | (fraction ? 0x400000u : 0u);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction == 0) return sign;
  const uint32_t shift =
      static_cast<uint32_t>(__builtin_clz(fraction)) - 21;  // brings the leading one to bit 10
  return sign | ((113 - shift) << 23) | ((fraction << shift & 1023u) << 13);
}

}  // namespace genlib
