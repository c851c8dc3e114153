// The fixed-point masses of sixteen tokens at a time.
//
// A mass is floor(p · 2^(40 + n)) with 2^(y + 1/2) = p · 2^n; docs/kernels.md derives each step. Masses are
// 64-bit, so those of sixteen tokens fill twice the vectors. Each machine vector's even and odd tokens are
// kept apart, which takes no shuffle; sums do not depend on the order.
#pragma once

#include "cpu/sampling/choice.inc.h"

namespace genlib::GENLIB_WIDTH {

// What a row's masses are relative to.
struct Against {
  float peak;   // the largest value
  float scale;  // log2(e) / T
};

// p's bits, of which the low 24 are its significand with the hidden bit, and 23 − n: what p · 2^63 is to be
// shifted right by. It is 64 or more, as unsigned, for values without a mass.
struct Powers {
  u32x16 significand;
  u32x16 shift;
};

// How many groups of sixteen tokens have their masses computed side by side: as many as pay off.
inline constexpr int kAbreast = kVectorBytes / 8;

// kN times sixteen values, step by step: the instructions of a step do not wait for one another, and a
// processor looks ahead too little to find as many in one group after another.
template <int kN>
GENLIB_INLINE void powers(const f32x16 (&x)[kN], const Against& a, Powers (&at)[kN]) {
  constexpr float kC[] = {0x1.c085cep-7f, 0x1.418f38p-4f, 0x1.5be064p-2f, 0x1.f5e44ep-1f, 0x1.6a09e8p+0f};
  const f32x16 round = fill(0x1.8p+23f), peak = fill(a.peak), scale = fill(a.scale);
  f32x16 f[kN], t[kN], p[kN];
  for (int j = 0; j < kN; ++j) f[j] = x[j] - peak;
  for (int j = 0; j < kN; ++j) f[j] = f[j] * scale;
  for (int j = 0; j < kN; ++j) t[j] = f[j] + round;
  for (int j = 0; j < kN; ++j) p[j] = t[j] - round;
  for (int j = 0; j < kN; ++j) f[j] = f[j] - p[j];
  for (int j = 0; j < kN; ++j) p[j] = fill(0x1.e605acp-10f);
  for (const float c : kC) {
    for (int j = 0; j < kN; ++j) p[j] = p[j] * f[j];
    for (int j = 0; j < kN; ++j) p[j] = p[j] + fill(c);
  }
  for (int j = 0; j < kN; ++j)
    at[j] = {bit_cast<uint32_t>(p[j]), fill<uint32_t>(0x4B400000 + 23) - bit_cast<uint32_t>(t[j])};
}

GENLIB_INLINE Powers powers(const f32x16& x, const Against& a) {
  const f32x16 one[1] = {x};
  Powers at[1];
  powers(one, a, at);
  return at[0];
}

#if defined(__AVX512F__)

GENLIB_INLINE u64x16 masses(const Powers& at) {
  // The maskz forms with a full mask are the plain instructions; g++ 12 warns of its own header for those.
  const __m512i p = reinterpret_cast<__m512i>(at.significand.part[0]);
  const __m512i shift = reinterpret_cast<__m512i>(at.shift.part[0]);
  const __m512i even_p = _mm512_maskz_slli_epi64(0xFF, p, 40);
  const __m512i odd_p = _mm512_maskz_slli_epi32(0xAAAA, p, 8);
  const __m512i odd_shift = _mm512_maskz_srli_epi64(0xFF, shift, 32);
  const __m512i even = _mm512_maskz_srlv_epi64(0xFF, even_p, _mm512_maskz_mov_epi32(0x5555, shift));
  const __m512i odd = _mm512_maskz_srlv_epi64(0xFF, odd_p, odd_shift);
  return {{reinterpret_cast<u64x16::Native>(even), reinterpret_cast<u64x16::Native>(odd)}};
}

// In the tokens' own order, in which a choice's bits are masks of the two halves.
GENLIB_INLINE u64x16 masses_to_choose(const Powers& at) {
  const __m512i p = reinterpret_cast<__m512i>(at.significand.part[0]);
  const __m512i shift = reinterpret_cast<__m512i>(at.shift.part[0]);
  u64x16 r;
  for (int i = 0; i < 2; ++i) {
    const __m256i half_p =
        i == 0 ? _mm512_maskz_extracti32x8_epi32(0xFF, p, 0) : _mm512_maskz_extracti32x8_epi32(0xFF, p, 1);
    const __m256i half_shift = i == 0 ? _mm512_maskz_extracti32x8_epi32(0xFF, shift, 0)
                                      : _mm512_maskz_extracti32x8_epi32(0xFF, shift, 1);
    const __m512i wide_p = _mm512_maskz_slli_epi64(0xFF, _mm512_maskz_cvtepu32_epi64(0xFF, half_p), 40);
    r.part[i] = reinterpret_cast<u64x16::Native>(
        _mm512_maskz_srlv_epi64(0xFF, wide_p, _mm512_maskz_cvtepu32_epi64(0xFF, half_shift)));
  }
  return r;
}

// sum + mass, for the chosen.
GENLIB_INLINE u64x16 add_chosen(const u64x16& sum, const Choice& a, const u64x16& mass) {
  u64x16 r;
  for (int i = 0; i < 2; ++i) {
    const auto old = reinterpret_cast<__m512i>(sum.part[i]);
    const auto lanes = static_cast<__mmask8>(i == 0 ? a.lanes : _kshiftri_mask16(a.lanes, 8));
    r.part[i] = reinterpret_cast<u64x16::Native>(
        _mm512_mask_add_epi64(old, lanes, old, reinterpret_cast<__m512i>(mass.part[i])));
  }
  return r;
}

#else

GENLIB_INLINE u64x16 masses(const Powers& at) {
  u64x16 r;
  const u64x16::Native high = fill<uint64_t>(0x00FFFFFF00000000).part[0];
  const u64x16::Native low = fill<uint64_t>(0x00000000FFFFFFFF).part[0];
#if defined(__AVX2__)
  for (int i = 0; i < u32x16::kParts; ++i) {
    const auto p = reinterpret_cast<u64x16::Native>(at.significand.part[i]);
    const auto shift = reinterpret_cast<u64x16::Native>(at.shift.part[i]);
    r.part[2 * i] = reinterpret_cast<u64x16::Native>(
        _mm256_srlv_epi64(reinterpret_cast<__m256i>(p << 40), reinterpret_cast<__m256i>(shift & low)));
    r.part[2 * i + 1] = reinterpret_cast<u64x16::Native>(_mm256_srlv_epi64(
        reinterpret_cast<__m256i>((p & high) << 8), reinterpret_cast<__m256i>(shift >> 32)));
  }
#else
  // A shift by 64 or more is undefined here, and 63 gives 1 for the hidden bit: so by at most 41, after 17.
  for (int i = 0; i < u32x16::kParts; ++i) {
    const u32x16::Native clamped = at.shift.part[i] - 23;
    const u32x16::Native limit = fill<uint32_t>(63).part[0];
    const auto shift = reinterpret_cast<u64x16::Native>(clamped < limit ? clamped : limit);
    const auto p = reinterpret_cast<u64x16::Native>(at.significand.part[i]);
    r.part[2 * i] = ((p & (high >> 32)) << 17) >> (shift & low);
    r.part[2 * i + 1] = ((p & high) >> 15) >> (shift >> 32);
  }
#endif
  return r;
}

GENLIB_INLINE u64x16 masses_to_choose(const Powers& at) { return masses(at); }

GENLIB_INLINE u64x16 add_chosen(const u64x16& sum, const Choice& a, const u64x16& mass) {
  u64x16 r;
  for (int i = 0; i < i32x16::kParts; ++i) {
#if defined(__AVX2__)
    const auto lanes = reinterpret_cast<__m256i>(a.lanes.part[i]);
    const auto even = reinterpret_cast<u64x16::Native>(_mm256_shuffle_epi32(lanes, 0xA0));
    const auto odd = reinterpret_cast<u64x16::Native>(_mm256_shuffle_epi32(lanes, 0xF5));
#else
    const auto lanes = reinterpret_cast<Lanes<int64_t>::Native>(a.lanes.part[i]);
    const auto even = reinterpret_cast<u64x16::Native>((lanes << 32) >> 32);
    const auto odd = reinterpret_cast<u64x16::Native>(lanes >> 32);
#endif
    r.part[2 * i] = sum.part[2 * i] + (mass.part[2 * i] & even);
    r.part[2 * i + 1] = sum.part[2 * i + 1] + (mass.part[2 * i + 1] & odd);
  }
  return r;
}

#endif

GENLIB_INLINE uint64_t sum(const u64x16& a) {
  uint64_t x[kLanes], total = 0;
  store(x, a);
  for (const uint64_t each : x) total += each;
  return total;
}

// The masses of sixteen values, in the order of the values.
GENLIB_INLINE void store_masses(uint64_t* to, const f32x16& x, const Against& a) {
  uint64_t apart[kLanes];
  store(apart, masses(powers(x, a)));
  constexpr int kPer = u64x16::kPerPart;
  for (int i = 0; i < kLanes; ++i) to[i] = apart[i / (2 * kPer) * (2 * kPer) + i % 2 * kPer + i / 2 % kPer];
}

}  // namespace genlib::GENLIB_WIDTH
