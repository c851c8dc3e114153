// The sampler alone, for tests and benchmarks: one call, checked, at a chosen vector width.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "bindings/gil.h"
#include "bindings/sampling_arrays.h"
#include "bindings/widths.h"
#include "cpu/sampling/operation.h"

namespace py = pybind11;

namespace genlib {
namespace {

void sample_rows(const std::string& width, const py::object& logits, const py::object& params,
                 const py::object& num_sampled, const py::object& out, int threads) {
  std::vector<py::object> kept;
  const SampleArgs args =
      sample_args(logits, params, out, [&](const py::object& array) { kept.push_back(array); });
  const Count rows = require_count(num_sampled, "num_sampled", py::len(logits));
  Runtime runtime(threads, width_named(width));
  const Operation operation = sample(runtime, args, rows);
  without_gil([&] { operation(runtime); });
}

}  // namespace

void bind_sampling(py::module_& m) {
  m.def("sample_rows", &sample_rows, py::arg("width"), py::arg("logits"), py::arg("params"),
        py::arg("num_sampled"), py::arg("out"), py::arg("threads") = 1,
        "`Ops.sample` alone. width: baseline, avx2 or avx512. Raises ValueError on what the contract does "
        "not allow.");
}

}  // namespace genlib
