// Matrices of a checkpoint, packed once into panels of outputs.
#pragma once

#include <cstdint>
#include <vector>

#include "base/parallel.h"
#include "cpu/kernels.h"
#include "cpu/memory.h"

namespace genlib {

// One tensor [out, in] of the checkpoint, row after row, in the caller's memory.
struct MatrixView {
  const void* data;
  int64_t out;
};

// Panels [ceil(out / kPanel), in, kPanel], zeros after the last output. The outputs of one k lie in order
// (float32, float16), or interleaved (bfloat16: 0, 16, 1, 17, …), so that the two halves of a 32-bit lane are
// outputs j and j + 16, each widened by one instruction. Constant once it is packed.
class PackedWeight {
 public:
  // Copies every element; `matrices` are not needed afterwards.
  PackedWeight(const std::vector<MatrixView>& matrices, int64_t in, FloatType type, std::vector<float> bias,
               ThreadPool& pool);

  int64_t in() const { return in_; }
  int64_t out() const { return out_; }
  int64_t panels() const { return (out_ + kPanel - 1) / kPanel; }
  FloatType type() const { return type_; }
  size_t bytes() const { return memory_.bytes(); }
  const void* data() const { return memory_.as<void>(); }
  const float* bias() const { return bias_.empty() ? nullptr : bias_.data(); }
  // to[in] = row `output`, as float32, without the bias.
  void copy_row(int64_t output, float* to) const;

 private:
  template <typename T>
  void pack_panel(int64_t panel, const std::vector<const T*>& rows);
  template <typename T>
  void pack(const std::vector<MatrixView>& matrices, ThreadPool& pool);

  int64_t in_, out_ = 0;
  FloatType type_;
  std::vector<float> bias_;
  Memory memory_;
};

}  // namespace genlib
