// Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): a draw's random bits
// are a function of its seed, stream and position. There is no state, so a draw does not depend on those
// before it.
//
// Internal linkage, and inlined: units of different vector widths include this, and must not share its code.
#pragma once

#include <cstdint>

namespace genlib {

struct Philox {
  uint32_t word[4];
};

[[gnu::always_inline]] static inline Philox philox(uint64_t key, const Philox& counter) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  Philox x = counter;
  for (int round = 0; round < 10; ++round) {
    const uint64_t u = uint64_t{0xD2511F53} * x.word[0], v = uint64_t{0xCD9E8D57} * x.word[2];
    x = {{static_cast<uint32_t>(v >> 32) ^ x.word[1] ^ k0, static_cast<uint32_t>(v),
          static_cast<uint32_t>(u >> 32) ^ x.word[3] ^ k1, static_cast<uint32_t>(u)}};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return x;
}

// The 64 random bits of the draw at `position` of a sequence with this seed and stream.
[[gnu::always_inline]] static inline uint64_t random_word(uint64_t seed, uint64_t stream, uint64_t position) {
  const Philox x = philox(seed, {{static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                                  static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)}});
  return uint64_t{x.word[1]} << 32 | x.word[0];
}

}  // namespace genlib
