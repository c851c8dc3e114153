#include "cpu/layers/weight.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"
#include "cpu/layers/half.h"

namespace genlib {

namespace {

int64_t place_of(FloatType type, int64_t lane) {
  if (type != FloatType::kBfloat16) return lane;
  return lane < kPanel / 2 ? 2 * lane : 2 * (lane - kPanel / 2) + 1;
}

}  // namespace

PackedWeight::PackedWeight(const std::vector<MatrixView>& matrices, int64_t in, FloatType type,
                           std::vector<float> bias, ThreadPool& pool)
    : in_(in), type_(type), bias_(std::move(bias)) {
  for (const MatrixView& matrix : matrices) out_ += matrix.out;
  GENLIB_CHECK(bias_.empty() || static_cast<int64_t>(bias_.size()) == out_, "`bias` must hold ", out_,
               " numbers, one for each output, got ", bias_.size());
  const size_t element = type == FloatType::kFloat32 ? sizeof(float) : sizeof(uint16_t);
  memory_ = Memory(static_cast<size_t>(panels() * kPanel * in_) * element);
  if (type == FloatType::kFloat32)
    pack<float>(matrices, pool);
  else
    pack<uint16_t>(matrices, pool);
}

template <typename T>
void PackedWeight::pack(const std::vector<MatrixView>& matrices, ThreadPool& pool) {
  std::vector<const T*> rows;
  rows.reserve(static_cast<size_t>(out_));
  for (const MatrixView& matrix : matrices)
    for (int64_t i = 0; i < matrix.out; ++i) rows.push_back(static_cast<const T*>(matrix.data) + i * in_);
  pool.split(panels(), 1, [&](int, int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) pack_panel<T>(panel, rows);
  });
}

template <typename T>
void PackedWeight::pack_panel(int64_t panel, const std::vector<const T*>& rows) {
  constexpr int64_t kBlock = 64 / sizeof(T);  // a cache line of each row at a time
  T* to = memory_.as<T>() + panel * kPanel * in_;
  const int64_t lanes = std::min<int64_t>(kPanel, out_ - panel * kPanel);
  for (int64_t k = 0; k < in_; k += kBlock)
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const T* from = rows[static_cast<size_t>(panel * kPanel + lane)];
      const int64_t place = place_of(type_, lane);
      for (int64_t i = k; i < std::min(k + kBlock, in_); ++i) to[i * kPanel + place] = from[i];
    }
}

void PackedWeight::copy_row(int64_t output, float* to) const {
  const int64_t first = output / kPanel * kPanel * in_ + place_of(type_, output % kPanel);
  if (type_ == FloatType::kFloat32) {
    const float* from = memory_.as<float>() + first;
    for (int64_t k = 0; k < in_; ++k) to[k] = from[k * kPanel];
    return;
  }
  const uint16_t* from = memory_.as<uint16_t>() + first;
  if (type_ == FloatType::kBfloat16)
    for (int64_t k = 0; k < in_; ++k) to[k] = std::bit_cast<float>(uint32_t{from[k * kPanel]} << 16);
  else
    for (int64_t k = 0; k < in_; ++k) to[k] = std::bit_cast<float>(float_bits_of_half(from[k * kPanel]));
}

}  // namespace genlib
