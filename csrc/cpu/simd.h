// Sixteen logical lanes, whatever the machine's vectors hold: one __m512, two 32-byte or four 16-byte
// vectors.
//
// Every operation acts on each lane alone, as one IEEE operation, so the three widths give the same bits and
// differ only in how many instructions it takes. The units that include this header (csrc/cpu/widths) are
// compiled for one width each and define GENLIB_WIDTH to be their namespace: two widths never share an inline
// function. For the same reason they instantiate no template of the standard library: the linker keeps one
// copy of such a function, which could be the one with instructions that this machine lacks.
#pragma once

#include <cstdint>

#if defined(__AVX512F__) || defined(__FMA__)
#include <immintrin.h>
#endif

#include "cpu/kernels.h"

#ifndef GENLIB_WIDTH
#error "define GENLIB_WIDTH before simd.h"
#endif

#define GENLIB_INLINE [[gnu::always_inline]] static inline

namespace genlib::GENLIB_WIDTH {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <typename T>
struct Lanes {
  typedef T Native __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
  static constexpr int kParts = kLanes * static_cast<int>(sizeof(T)) / kVectorBytes;
  static constexpr int kPerPart = kLanes / kParts;
  Native part[kParts];
};

using f32x16 = Lanes<float>;
using i32x16 = Lanes<int32_t>;
using u32x16 = Lanes<uint32_t>;
using u64x16 = Lanes<uint64_t>;

template <typename T>
GENLIB_INLINE Lanes<T> load(const T* from) {
  using L = Lanes<T>;
  L r;
  for (int i = 0; i < L::kParts; ++i)
    r.part[i] = *reinterpret_cast<const typename L::Native*>(from + i * L::kPerPart);
  return r;
}

template <typename T>
GENLIB_INLINE void store(T* to, const Lanes<T>& a) {
  using L = Lanes<T>;
  for (int i = 0; i < L::kParts; ++i)
    *reinterpret_cast<typename L::Native*>(to + i * L::kPerPart) = a.part[i];
}

template <typename T>
GENLIB_INLINE Lanes<T> fill(T x) {
  Lanes<T> r;
  for (auto& p : r.part) p = x - typename Lanes<T>::Native{};
  return r;
}

#define GENLIB_LANEWISE(op)                                                        \
  template <typename T>                                                            \
  GENLIB_INLINE Lanes<T> operator op(const Lanes<T>& a, const Lanes<T>& b) {       \
    Lanes<T> r;                                                                    \
    for (int i = 0; i < Lanes<T>::kParts; ++i) r.part[i] = a.part[i] op b.part[i]; \
    return r;                                                                      \
  }
GENLIB_LANEWISE(+)
GENLIB_LANEWISE(-)
GENLIB_LANEWISE(*)
GENLIB_LANEWISE(/)
GENLIB_LANEWISE(&)
GENLIB_LANEWISE(|)
GENLIB_LANEWISE(<<)
GENLIB_LANEWISE(>>)
#undef GENLIB_LANEWISE

// The first n of sixteen, then zeros: nothing past from[n - 1] is read.
template <typename T>
GENLIB_INLINE Lanes<T> load_first(const T* from, int n) {
  if (n >= kLanes) return load(from);
  T whole[kLanes] = {};
  for (int i = 0; i < n; ++i) whole[i] = from[i];
  return load<T>(whole);
}

template <typename T>
GENLIB_INLINE void store_first(T* to, const Lanes<T>& a, int n) {
  if (n >= kLanes) return store(to, a);
  T whole[kLanes];
  store(whole, a);
  for (int i = 0; i < n; ++i) to[i] = whole[i];
}

// a < b ? x : y, lane by lane; a NaN in `a` or `b` gives y.
GENLIB_INLINE f32x16 select_less(const f32x16& a, const f32x16& b, const f32x16& x, const f32x16& y) {
  f32x16 r;
  for (int i = 0; i < f32x16::kParts; ++i) r.part[i] = a.part[i] < b.part[i] ? x.part[i] : y.part[i];
  return r;
}

// Lanes 0 … n − 1 from a, the others from b.
GENLIB_INLINE f32x16 keep_first(const f32x16& a, int n, const f32x16& b) {
  static constexpr int32_t kIndex[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const i32x16 index = load<int32_t>(kIndex), limit = fill<int32_t>(n);
  f32x16 r;
  for (int i = 0; i < f32x16::kParts; ++i) r.part[i] = index.part[i] < limit.part[i] ? a.part[i] : b.part[i];
  return r;
}

// a > b ? a : b, so a NaN in `a` gives b.
template <typename T>
GENLIB_INLINE Lanes<T> max(const Lanes<T>& a, const Lanes<T>& b) {
  Lanes<T> r;
  for (int i = 0; i < Lanes<T>::kParts; ++i) r.part[i] = a.part[i] > b.part[i] ? a.part[i] : b.part[i];
  return r;
}

template <typename T>
GENLIB_INLINE Lanes<T> min(const Lanes<T>& a, const Lanes<T>& b) {
  Lanes<T> r;
  for (int i = 0; i < Lanes<T>::kParts; ++i) r.part[i] = a.part[i] < b.part[i] ? a.part[i] : b.part[i];
  return r;
}

// a * b + c, rounded once.
GENLIB_INLINE f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) {
  f32x16 r;
#if defined(__AVX512F__)
  r.part[0] = reinterpret_cast<f32x16::Native>(_mm512_fmadd_ps(reinterpret_cast<__m512>(a.part[0]),
                                                               reinterpret_cast<__m512>(b.part[0]),
                                                               reinterpret_cast<__m512>(c.part[0])));
#elif defined(__AVX2__)
  for (int i = 0; i < 2; ++i)
    r.part[i] = reinterpret_cast<f32x16::Native>(_mm256_fmadd_ps(reinterpret_cast<__m256>(a.part[i]),
                                                                 reinterpret_cast<__m256>(b.part[i]),
                                                                 reinterpret_cast<__m256>(c.part[i])));
#else
  for (int i = 0; i < f32x16::kParts; ++i)
    for (int j = 0; j < f32x16::kPerPart; ++j)
      r.part[i][j] = __builtin_fmaf(a.part[i][j], b.part[i][j], c.part[i][j]);
#endif
  return r;
}

template <typename To, typename From>
GENLIB_INLINE Lanes<To> bit_cast(const Lanes<From>& a) {
  static_assert(sizeof(To) == sizeof(From));
  Lanes<To> r;
  for (int i = 0; i < Lanes<To>::kParts; ++i)
    r.part[i] = reinterpret_cast<typename Lanes<To>::Native>(a.part[i]);
  return r;
}

// Sixteen outputs' pairs as `pack` interleaves them: the low halves are outputs 0 … 15, the high ones 16
// … 31.
GENLIB_INLINE void widen_bfloat16(const uint16_t* from, f32x16* low, f32x16* high) {
  const u32x16 pairs = load(reinterpret_cast<const uint32_t*>(from));
  *low = bit_cast<float>(pairs << fill<uint32_t>(16));
  *high = bit_cast<float>(pairs & fill<uint32_t>(0xffff0000u));
}

// Exact. A signalling NaN becomes a quiet one, as the instruction has it.
GENLIB_INLINE f32x16 widen_float16(const uint16_t* from) {
  f32x16 r;
#if defined(__AVX512F__)
  // With a mask of ones: the unmasked form reads an uninitialised register, of which gcc 12 warns.
  r.part[0] = reinterpret_cast<f32x16::Native>(
      _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#elif defined(__F16C__)
  for (int i = 0; i < 2; ++i)
    r.part[i] = reinterpret_cast<f32x16::Native>(
        _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 8 * i))));
#else
  // Moved to its place, an exponent is 112 too small, that of infinities and NaNs 224. A denormal is its
  // fraction as an integer, times 2^-24: a normal float32, so that no mode of the machine can flush it.
  typedef uint16_t Halves __attribute__((vector_size(kVectorBytes / 2), aligned(2), may_alias));
  for (int i = 0; i < u32x16::kParts; ++i) {
    const auto bits = __builtin_convertvector(*reinterpret_cast<const Halves*>(from + i * u32x16::kPerPart),
                                              i32x16::Native);
    const i32x16::Native rest = bits & 0x7fff, wide = (rest << 13) + (112 << 23);
    const i32x16::Native big = rest >= 0x7c00 ? wide + (112 << 23) : wide;
    const i32x16::Native quiet = rest > 0x7c00 ? big | 0x400000 : big;
    const auto small =
        reinterpret_cast<i32x16::Native>(__builtin_convertvector(rest, f32x16::Native) * 0x1p-24f);
    r.part[i] = reinterpret_cast<f32x16::Native>(((bits & 0x8000) << 16) | (rest < 0x400 ? small : quiet));
  }
#endif
  return r;
}

// The sum of the lanes in one fixed tree: 8, 4, 2, 1 apart.
GENLIB_INLINE float sum(const f32x16& a) {
  float x[kLanes];
  store(x, a);
  for (int step = kLanes / 2; step > 0; step /= 2)
    for (int i = 0; i < step; ++i) x[i] = x[i] + x[i + step];
  return x[0];
}

GENLIB_INLINE float max_of(const f32x16& a) {
  float x[kLanes];
  store(x, a);
  for (int step = kLanes / 2; step > 0; step /= 2)
    for (int i = 0; i < step; ++i) x[i] = x[i + step] > x[i] ? x[i + step] : x[i];
  return x[0];
}

}  // namespace genlib::GENLIB_WIDTH
