// Sixteen tokens at a time: their fixed-point masses, and comparisons of their values.
//
// A mass is floor(p · 2^(40 + n)) with 2^(y + 1/2) = p · 2^n; docs/kernels.md derives each step. Masses are
// 64-bit, so those of sixteen tokens fill twice the vectors; they stand as even and odd tokens apart, in each
// vector of the machine, because that takes no shuffle and no sum minds the order.
#pragma once

namespace genlib::GENLIB_WIDTH {

// What a row's masses are taken against.
struct Against {
  float peak;   // the largest value
  float scale;  // log2(e) / T
};

// Which of sixteen tokens.
struct Choice {
#if defined(__AVX512F__)
  __mmask16 lanes;
#else
  i32x16 lanes;  // all bits set, or none
#endif
};

// p's bits, of which the low 24 are its significand with the hidden bit, and 23 − n: what p · 2^63 is to be
// shifted right by. It is 64 or more, as unsigned, for values without a mass.
struct Powers {
  u32x16 significand;
  u32x16 shift;
};

GENLIB_INLINE Powers powers(const f32x16& x, const Against& a) {
  const f32x16 round = fill(0x1.8p+23f);
  const f32x16 y = (x - fill(a.peak)) * fill(a.scale);
  const f32x16 t = y + round;
  const f32x16 f = y - (t - round);
  f32x16 p = fill(0x1.e605acp-10f);
  p = p * f + fill(0x1.c085cep-7f);
  p = p * f + fill(0x1.418f38p-4f);
  p = p * f + fill(0x1.5be064p-2f);
  p = p * f + fill(0x1.f5e44ep-1f);
  p = p * f + fill(0x1.6a09e8p+0f);
  return {bit_cast<uint32_t>(p), fill<uint32_t>(0x4B400000 + 23) - bit_cast<uint32_t>(t)};
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

// The chosen values, closed up, to `to`, which has room for sixteen. Gives their number.
GENLIB_INLINE int compress(float* to, const Choice& a, const f32x16& x) {
  _mm512_storeu_ps(to, _mm512_maskz_compress_ps(a.lanes, reinterpret_cast<__m512>(x.part[0])));
  return __builtin_popcount(a.lanes);
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

GENLIB_INLINE uint64_t sum(const u64x16& a) {
  u64x16::Native all = a.part[0];
  for (int i = 1; i < u64x16::kParts; ++i) all = all + a.part[i];
  uint64_t total = 0;
  for (int i = 0; i < u64x16::kPerPart; ++i) total += all[i];
  return total;
}

// The first n of sixteen values, -inf behind: what has no mass and is above nothing.
GENLIB_INLINE f32x16 load_values(const float* from, int n) {
  if (n >= kLanes) [[likely]]
    return load(from);
  return keep_first(load_first(from, n), n, fill(-__builtin_inff()));
}

// The masses of sixteen values, in their own order.
GENLIB_INLINE void store_masses(uint64_t* to, const f32x16& x, const Against& a) {
  uint64_t apart[kLanes];
  store(apart, masses(powers(x, a)));
  constexpr int kPer = u64x16::kPerPart;
  for (int i = 0; i < kLanes; ++i) to[i] = apart[i / (2 * kPer) * (2 * kPer) + i % 2 * kPer + i / 2 % kPer];
}

}  // namespace genlib::GENLIB_WIDTH
