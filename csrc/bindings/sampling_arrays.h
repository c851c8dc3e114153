// The sampler's arguments, taken from numpy arrays: logits, and genlib.ops.base.RowParams and Drawn.
#pragma once

#include <pybind11/numpy.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "bindings/arrays.h"
#include "cpu/sampling/sampling.h"

namespace genlib {

inline constexpr const char* kSampleParams[] = {
    "scale",      "top_k",  "top_p",      "min_p",      "seed",     "stream",    "position",
    "mask",       "forced", "top_n",      "repetition", "presence", "frequency", "edit_start",
    "edit_count", "masks",  "edit_token", "edit_bias",  "edit_seen"};
inline constexpr const char* kSampleDrawn[] = {
    "token",  "probability", "logprob",         "sampling_probability", "num_kept",
    "status", "top_token",   "top_probability", "top_logprob"};

// Rows may be any number of elements apart; the elements of a row are neighbours.
inline void take_logits(pybind11::handle logits, LogitArgs* args) {
  namespace py = pybind11;
  const auto expected = [&] {
    return concat("`logits` must be [R, V] of float32, float16 or uint16 (bfloat16), V from 1 to ",
                  kMaxVocabulary, ", the values of a row next to each other, got ", describe(logits));
  };
  GENLIB_CHECK(py::isinstance<py::array>(logits), expected());
  const auto array = py::reinterpret_borrow<py::array>(logits);
  if (array.dtype().equal(py::dtype::of<float>())) {
    args->logit_type = LogitType::kFloat32;
  } else if (array.dtype().equal(py::dtype::of<uint16_t>())) {
    args->logit_type = LogitType::kBfloat16;
  } else {
    GENLIB_CHECK(array.dtype().equal(py::dtype("float16")), expected());
    args->logit_type = LogitType::kFloat16;
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
}

// Everything but the values, which check_sample_rows looks at. num_draws is left open.
inline SampleArgs sample_args(pybind11::handle logits, pybind11::handle params, pybind11::handle out) {
  namespace py = pybind11;
  SampleArgs args{};
  take_logits(logits, &args);
  const int64_t rows = py::reinterpret_borrow<py::array>(logits).shape(0);
  const auto take = [&](auto& field, const char* name, const std::vector<int64_t>& shape) {
    using T = std::remove_const_t<std::remove_pointer_t<std::remove_reference_t<decltype(field)>>>;
    field = require<T>(params.attr(name), name, shape).data();
  };
  take(args.scale, "scale", {rows});
  take(args.top_k, "top_k", {rows});
  take(args.top_p, "top_p", {rows});
  take(args.min_p, "min_p", {rows});
  take(args.seed, "seed", {rows});
  take(args.stream, "stream", {rows});
  take(args.position, "position", {rows});
  take(args.mask, "mask", {rows});
  take(args.forced, "forced", {rows});
  take(args.top_n, "top_n", {rows});
  take(args.repetition, "repetition", {rows});
  take(args.presence, "presence", {rows});
  take(args.frequency, "frequency", {rows});
  take(args.edit_start, "edit_start", {rows});
  take(args.edit_count, "edit_count", {rows});
  args.masks_stride = (int64_t{args.vocabulary} + 31) / 32;
  take(args.masks, "masks", {kAny, args.masks_stride});
  args.num_masks = py::reinterpret_borrow<py::array>(params.attr("masks")).shape(0);
  take(args.edit_token, "edit_token", {kAny});
  args.num_edits = py::reinterpret_borrow<py::array>(params.attr("edit_token")).shape(0);
  take(args.edit_bias, "edit_bias", {args.num_edits});
  take(args.edit_seen, "edit_seen", {args.num_edits});
  const auto give = [&](auto& field, const char* name, const std::vector<int64_t>& shape) {
    using T = std::remove_pointer_t<std::remove_reference_t<decltype(field)>>;
    field = require_out<T>(out.attr(name), name, shape);
  };
  give(args.token, "token", {rows});
  give(args.probability, "probability", {rows});
  give(args.logprob, "logprob", {rows});
  give(args.sampling_probability, "sampling_probability", {rows});
  give(args.num_kept, "num_kept", {rows});
  give(args.status, "status", {rows});
  give(args.top_token, "top_token", {rows, kAny});
  args.top_columns = py::reinterpret_borrow<py::array>(out.attr("top_token")).shape(1);
  give(args.top_probability, "top_probability", {rows, args.top_columns});
  give(args.top_logprob, "top_logprob", {rows, args.top_columns});
  return args;
}

}  // namespace genlib
