#include "cpu/program/bandwidth.h"

#include <algorithm>
#include <chrono>

#include "cpu/memory.h"

namespace genlib {

double read_bandwidth(Runtime& runtime, size_t bytes, int rounds) {
  const Memory memory(bytes);
  const auto guard = runtime.lock();
  const auto lines = static_cast<int64_t>(bytes / 1024);  // pieces of 16 cache lines
  float* data = memory.as<float>();
  std::fill_n(data, bytes / sizeof(float), 1.0f);
  double best = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    runtime.pool().split(lines, 64, [&](int, int64_t first, int64_t last) {
      volatile float kept = runtime.kernels().read_all(data + first * 256, data + last * 256);
      (void)kept;
    });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(lines * 1024) / took.count());
  }
  return best;
}

}  // namespace genlib
