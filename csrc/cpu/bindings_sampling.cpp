// The sampler alone, for tests and benchmarks: one call, checked, at a chosen vector width.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "cpu/kernels.h"
#include "cpu/sampling.h"

namespace py = pybind11;

namespace genlib {
namespace {

Width width_of(const std::string& name) {
  for (const auto& [known, width] : {std::pair{"baseline", Width::kBaseline}, std::pair{"avx2", Width::kAvx2},
                                     std::pair{"avx512", Width::kAvx512}}) {
    if (name != known) continue;
    GENLIB_CHECK(is_supported(width), "`width` must be one that this machine has, got ", name);
    return width;
  }
  throw ArgumentError(concat("`width` must be baseline, avx2 or avx512, got ", name));
}

// A field of `owner`, [at least rows] of T, contiguous.
template <typename T>
T* column(const py::object& owner, const char* name, py::ssize_t rows) {
  const py::array array = owner.attr(name);
  GENLIB_CHECK(array.dtype().is(py::dtype::of<T>()) && array.ndim() == 1 && array.shape(0) >= rows &&
                   (array.flags() & py::array::c_style),
               "`", name, "` must be contiguous, of the sampler's type, for ", rows, " rows");
  return const_cast<T*>(static_cast<const T*>(array.data()));
}

SampleArgs arguments(const py::array_t<float>& logits, const py::object& params, const py::object& out,
                     const py::array_t<int32_t>& num_draws) {
  GENLIB_CHECK(logits.ndim() == 2 && logits.shape(1) >= 1 && logits.shape(1) <= kMaxVocabulary &&
                   (logits.size() == 0 ||
                    (logits.strides(1) == sizeof(float) && logits.strides(0) % sizeof(float) == 0)),
               "`logits` must be [R, V] of float32, its rows contiguous, V from 1 to ", kMaxVocabulary);
  GENLIB_CHECK(num_draws.size() == 1 && *num_draws.data() >= 0 && *num_draws.data() <= logits.shape(0),
               "`num_draws` must be [1], from 0 to the number of rows");
  const py::ssize_t rows = *num_draws.data();
  const py::array masks = params.attr("masks");
  const py::ssize_t words = (logits.shape(1) + 31) / 32;
  GENLIB_CHECK(masks.dtype().is(py::dtype::of<uint32_t>()) && masks.ndim() == 2 &&
                   (masks.size() == 0 || (masks.shape(1) >= words && masks.strides(1) == 4)),
               "`masks` must be [n, ceil(V / 32)] of uint32, its rows contiguous");
  SampleArgs args = {
      .logits = logits.data(),
      .logits_stride = logits.strides(0) / static_cast<py::ssize_t>(sizeof(float)),
      .vocabulary = static_cast<int32_t>(logits.shape(1)),
      .num_draws = num_draws.data(),
      .scale = column<float>(params, "scale", rows),
      .top_k = column<int32_t>(params, "top_k", rows),
      .top_p = column<uint32_t>(params, "top_p", rows),
      .min_p = column<float>(params, "min_p", rows),
      .seed = column<uint64_t>(params, "seed", rows),
      .stream = column<uint64_t>(params, "stream", rows),
      .position = column<int64_t>(params, "position", rows),
      .mask = column<int32_t>(params, "mask", rows),
      .forced = column<int32_t>(params, "forced", rows),
      .masks = static_cast<const uint32_t*>(masks.data()),
      .masks_stride = masks.strides(0) / 4,
      .token = column<int32_t>(out, "token", rows),
      .probability = column<float>(out, "probability", rows),
      .logprob = column<float>(out, "logprob", rows),
      .sampling_probability = column<float>(out, "sampling_probability", rows),
      .num_kept = column<int32_t>(out, "num_kept", rows),
      .status = column<int32_t>(out, "status", rows),
  };
  for (py::ssize_t r = 0; r < rows; ++r) {
    GENLIB_CHECK(args.mask[r] < (masks.size() == 0 ? 0 : masks.shape(0)),
                 "`mask` must be -1 or a row of `masks`, got ", args.mask[r]);
    GENLIB_CHECK(args.forced[r] < args.vocabulary, "`forced` must be -1 or a token id, got ", args.forced[r]);
    GENLIB_CHECK(args.scale[r] >= 0 && args.scale[r] <= 0x1p64f && args.min_p[r] <= 0 && args.top_k[r] >= 0,
                 "row ", r, ": `scale` must be in [0, 2^64], `min_p` at most 0 and `top_k` at least 0");
  }
  return args;
}

void sample_rows(const std::string& width, const py::array_t<float>& logits, const py::object& params,
                 const py::array_t<int32_t>& num_draws, const py::object& out, int threads) {
  GENLIB_CHECK(threads >= 1, "`threads` must be at least 1, got ", threads);
  const auto run = kernels(width_of(width)).sample_rows;
  const SampleArgs args = arguments(logits, params, out, num_draws);
  const int rows = *args.num_draws;
  const py::gil_scoped_release release;
  const auto work = [&](int first, int last) {
    constexpr std::align_val_t kAlign{64};
    void* scratch = ::operator new(sample_scratch_bytes(args.vocabulary), kAlign);
    run(args, first, last, scratch);
    ::operator delete(scratch, kAlign);
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work, rows * i / threads, rows * (i + 1) / threads);
  work(0, rows / threads);
  for (auto& other : others) other.join();
}

}  // namespace

void bind_sampling(py::module_& m) {
  m.def("sample_rows", &sample_rows, py::arg("width"), py::arg("logits").noconvert(), py::arg("params"),
        py::arg("num_draws").noconvert(), py::arg("out"), py::arg("threads") = 1,
        "`Ops.sample` alone. width: baseline, avx2 or avx512. Raises ValueError on what the contract does "
        "not allow.");
}

}  // namespace genlib
