// The sampler alone, for tests and benchmarks: one call, checked, at a chosen vector width.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>
#include <utility>

#include "base/check.h"
#include "bindings/sampling_arrays.h"
#include "cpu/sampling/operation.h"

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

void sample_rows(const std::string& width, const py::object& logits, const py::object& params,
                 const py::object& num_draws, const py::object& out, int threads) {
  const SampleArgs args = sample_args(logits, params, out);
  const Count rows = require_count(num_draws, "num_draws", py::len(logits));
  Runtime runtime(threads, width_of(width));
  const Operation operation = sample(runtime, args, rows);
  const py::gil_scoped_release release;
  operation(runtime);
}

}  // namespace

void bind_sampling(py::module_& m) {
  m.def("sample_rows", &sample_rows, py::arg("width"), py::arg("logits"), py::arg("params"),
        py::arg("num_draws"), py::arg("out"), py::arg("threads") = 1,
        "`Ops.sample` alone. width: baseline, avx2 or avx512. Raises ValueError on what the contract does "
        "not allow.");
}

}  // namespace genlib
