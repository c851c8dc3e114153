// Sixteen values at a time: comparisons, and what they choose.
#pragma once

#include "cpu/simd.h"

namespace genlib::GENLIB_WIDTH {

// Which of sixteen tokens.
struct Choice {
#if defined(__AVX512F__)
  __mmask16 lanes;
#else
  i32x16 lanes;  // all bits set, or none
#endif
};

#if defined(__AVX512F__)

GENLIB_INLINE Choice at_least(const f32x16& x, float bound) {
  return {_mm512_cmp_ps_mask(reinterpret_cast<__m512>(x.part[0]), _mm512_set1_ps(bound), _CMP_GE_OQ)};
}

GENLIB_INLINE Choice above(const f32x16& x, float bound) {
  return {_mm512_cmp_ps_mask(reinterpret_cast<__m512>(x.part[0]), _mm512_set1_ps(bound), _CMP_GT_OQ)};
}

GENLIB_INLINE Choice without(const Choice& a, const Choice& b) { return {_kandn_mask16(b.lanes, a.lanes)}; }

GENLIB_INLINE uint32_t bits_of(const Choice& a) { return a.lanes; }

GENLIB_INLINE u32x16 only(const Choice& a, const u32x16& x) {
  return {{reinterpret_cast<u32x16::Native>(
      _mm512_maskz_mov_epi32(a.lanes, reinterpret_cast<__m512i>(x.part[0])))}};
}

// Writes the chosen values, without gaps, to `to`, which has room for sixteen. Returns their number.
GENLIB_INLINE int compress(float* to, const Choice& a, const f32x16& x) {
  _mm512_storeu_ps(to, _mm512_maskz_compress_ps(a.lanes, reinterpret_cast<__m512>(x.part[0])));
  return __builtin_popcount(a.lanes);
}

#else

GENLIB_INLINE Choice at_least(const f32x16& x, float bound) {
  Choice r;
  for (int i = 0; i < f32x16::kParts; ++i)
    r.lanes.part[i] = reinterpret_cast<i32x16::Native>(x.part[i] >= fill(bound).part[0]);
  return r;
}

GENLIB_INLINE Choice above(const f32x16& x, float bound) {
  Choice r;
  for (int i = 0; i < f32x16::kParts; ++i)
    r.lanes.part[i] = reinterpret_cast<i32x16::Native>(x.part[i] > fill(bound).part[0]);
  return r;
}

GENLIB_INLINE Choice without(const Choice& a, const Choice& b) {
  Choice r;
  for (int i = 0; i < i32x16::kParts; ++i) r.lanes.part[i] = a.lanes.part[i] & ~b.lanes.part[i];
  return r;
}

GENLIB_INLINE uint32_t bits_of(const Choice& a) {
  uint32_t bits = 0;
#if defined(__AVX2__)
  for (int i = 0; i < 2; ++i)
    bits |= static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(a.lanes.part[i]))) << (8 * i);
#elif defined(__SSE2__)
  for (int i = 0; i < 4; ++i)
    bits |= static_cast<uint32_t>(__builtin_ia32_movmskps(reinterpret_cast<f32x16::Native>(a.lanes.part[i])))
            << (4 * i);
#else
  for (int i = 0; i < kLanes; ++i)
    bits |= (static_cast<uint32_t>(a.lanes.part[i / i32x16::kPerPart][i % i32x16::kPerPart]) & 1u) << i;
#endif
  return bits;
}

GENLIB_INLINE u32x16 only(const Choice& a, const u32x16& x) { return x & bit_cast<uint32_t>(a.lanes); }

GENLIB_INLINE int compress(float* to, const Choice& a, const f32x16& x) {
  float whole[kLanes];
  uint32_t bits = bits_of(a);
  if (bits == 0) return 0;
  store(whole, x);
  int n = 0;
  for (; bits != 0; bits &= bits - 1) to[n++] = whole[__builtin_ctz(bits)];
  return n;
}

#endif

GENLIB_INLINE uint32_t sum(const u32x16& a) {
  uint32_t x[kLanes], total = 0;
  store(x, a);
  for (const uint32_t each : x) total += each;
  return total;
}

// The first n of sixteen values, then -inf, which has no mass and is above nothing.
GENLIB_INLINE f32x16 load_values(const float* from, int n) {
  const f32x16 none = fill(-__builtin_inff());
  if (n >= kLanes) [[likely]]
    return load(from);
#if defined(__AVX512F__)
  const auto lanes = static_cast<__mmask16>(n > 0 ? (1u << n) - 1u : 0u);
  return {{reinterpret_cast<f32x16::Native>(
      _mm512_mask_loadu_ps(reinterpret_cast<__m512>(none.part[0]), lanes, from))}};
#elif defined(__AVX2__)
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  f32x16 r;
  for (int i = 0; i < 2; ++i) {
    const __m256i lanes = _mm256_cmpgt_epi32(_mm256_set1_epi32(n - 8 * i), index);
    const __m256 some = _mm256_maskload_ps(from + 8 * i, lanes);
    r.part[i] = reinterpret_cast<f32x16::Native>(
        _mm256_blendv_ps(reinterpret_cast<__m256>(none.part[i]), some, reinterpret_cast<__m256>(lanes)));
  }
  return r;
#else
  return keep_first(load_first(from, n), n, none);
#endif
}

}  // namespace genlib::GENLIB_WIDTH
