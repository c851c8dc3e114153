// The sampler's arguments, taken from numpy arrays: logits, and RowParams and SamplerOutput of
// genlib.ops.buffers.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>

#include "bindings/arrays.h"
#include "cpu/sampling/sampling.h"

namespace genlib {

// Rows may be any number of elements apart; the elements of a row are neighbours. Returns R.
inline int64_t take_logits(pybind11::handle logits, LogitArgs* args) {
  namespace py = pybind11;
  const auto expected = [&] {
    return concat("`logits` must be [R, V] of float32, float16 or uint16 (bfloat16), V from 1 to ",
                  kMaxVocabulary, ", the values of a row next to each other, got ", describe(logits));
  };
  GENLIB_CHECK(py::isinstance<py::array>(logits), expected());
  const auto array = py::reinterpret_borrow<py::array>(logits);
  if (array.dtype().equal(py::dtype::of<float>())) {
    args->logit_type = FloatType::kFloat32;
  } else if (array.dtype().equal(py::dtype::of<uint16_t>())) {
    args->logit_type = FloatType::kBfloat16;
  } else {
    GENLIB_CHECK(array.dtype().equal(py::dtype("float16")), expected());
    args->logit_type = FloatType::kFloat16;
  }
  const py::ssize_t size = array.itemsize();
  GENLIB_CHECK(array.ndim() == 2 && array.shape(1) >= 1 && array.shape(1) <= kMaxVocabulary, expected());
  GENLIB_CHECK(array.size() == 0 || (array.shape(1) == 1 || array.strides(1) == size), expected());
  GENLIB_CHECK(
      array.size() == 0 || (array.strides(0) % size == 0 &&
                            reinterpret_cast<uintptr_t>(array.data()) % static_cast<size_t>(size) == 0),
      "`logits` must lie at multiples of their own size in memory: copy them");
  args->logits = array.data();
  args->logits_stride = array.strides(0) / size;
  args->vocabulary = static_cast<int32_t>(array.shape(1));
  return array.shape(0);
}

template <typename Keep>
void read_params(const Fields<Keep>& params, int64_t rows, SampleArgs* args) {
  params.read(args->scale, "scale", {rows});
  params.read(args->top_k, "top_k", {rows});
  params.read(args->top_p, "top_p", {rows});
  params.read(args->min_p, "min_p", {rows});
  params.read(args->seed, "seed", {rows});
  params.read(args->stream, "stream", {rows});
  params.read(args->position, "position", {rows});
  params.read(args->mask, "mask", {rows});
  params.read(args->forced, "forced", {rows});
  params.read(args->top_n, "top_n", {rows});
  params.read(args->repetition, "repetition", {rows});
  params.read(args->presence, "presence", {rows});
  params.read(args->frequency, "frequency", {rows});
  params.read(args->edit_start, "edit_start", {rows});
  params.read(args->edit_count, "edit_count", {rows});
  args->masks_stride = (int64_t{args->vocabulary} + 31) / 32;
  params.read(args->masks, "masks", {kAny, args->masks_stride});
  args->num_masks = params.size("masks");
  params.read(args->edit_token, "edit_token", {kAny});
  args->num_edits = params.size("edit_token");
  params.read(args->edit_bias, "edit_bias", {args->num_edits});
  params.read(args->edit_seen, "edit_seen", {args->num_edits});
}

template <typename Keep>
void write_drawn(const Fields<Keep>& out, int64_t rows, SampleArgs* args) {
  out.write(args->token, "token", {rows});
  out.write(args->probability, "probability", {rows});
  out.write(args->logprob, "logprob", {rows});
  out.write(args->sampling_probability, "sampling_probability", {rows});
  out.write(args->num_kept, "num_kept", {rows});
  out.write(args->status, "status", {rows});
  out.write(args->top_token, "top_token", {rows, kAny});
  args->top_columns = out.size("top_token", 1);
  out.write(args->top_probability, "top_probability", {rows, args->top_columns});
  out.write(args->top_logprob, "top_logprob", {rows, args->top_columns});
}

// Shapes and types; check_sample_rows looks at the values. `keep`: see Fields.
template <typename Keep>
SampleArgs sample_args(pybind11::handle logits, pybind11::handle params, pybind11::handle out, Keep keep) {
  SampleArgs args{};
  const int64_t rows = take_logits(logits, &args);
  read_params(Fields<Keep>(params, keep), rows, &args);
  write_drawn(Fields<Keep>(out, keep), rows, &args);
  return args;
}

}  // namespace genlib
