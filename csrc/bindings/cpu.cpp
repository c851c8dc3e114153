#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "bindings/gil.h"
#include "bindings/widths.h"
#include "cpu/kv_pages.h"
#include "cpu/layers/weight.h"
#include "cpu/program/bandwidth.h"

namespace py = pybind11;

namespace genlib {

void bind_program(py::module_& m);

namespace {

std::shared_ptr<PackedWeight> pack(Runtime& runtime, const std::vector<py::object>& tensors,
                                   const std::string& dtype, const py::object& bias) {
  GENLIB_CHECK(!tensors.empty(), "`tensors` must hold at least one matrix");
  GENLIB_CHECK(dtype == "F32" || dtype == "BF16" || dtype == "F16", "`dtype` must be F32, BF16 or F16, got ",
               dtype);
  const FloatType type = dtype == "F32"    ? FloatType::kFloat32
                         : dtype == "BF16" ? FloatType::kBfloat16
                                           : FloatType::kFloat16;
  std::vector<MatrixView> matrices;
  int64_t in = kAny;
  for (const py::object& tensor : tensors) {
    const auto take = [&](const auto& array) {
      GENLIB_CHECK(array.size() > 0, "`tensors` must have rows and columns, got ", describe(tensor));
      in = array.shape(1);
      matrices.push_back({array.data(), array.shape(0)});
    };
    if (type == FloatType::kFloat32)
      take(require<float>(tensor, "tensors", {kAny, in}));
    else
      take(require<uint16_t>(tensor, "tensors", {kAny, in}));
  }
  std::vector<float> biases;
  if (!bias.is_none()) {
    const auto array = require<float>(bias, "bias", {kAny});
    biases.assign(array.data(), array.data() + array.size());
  }
  std::shared_ptr<PackedWeight> weight;
  without_gil([&] {
    const auto guard = runtime.lock();
    weight = std::make_shared<PackedWeight>(matrices, in, type, std::move(biases), runtime.pool());
  });
  return weight;
}

KvShape kv_shape(int layers, int heads, int kv_heads, int head_size) {
  GENLIB_CHECK(layers > 0, "`layers` must be at least 1, got ", layers);
  GENLIB_CHECK(kv_heads > 0 && heads > 0 && heads % kv_heads == 0,
               "`heads` must be a multiple of `kv_heads`, got ", heads, " and ", kv_heads);
  GENLIB_CHECK(head_size > 0 && head_size % 2 == 0 && head_size <= kMostHeadSize,
               "`head_size` must be even and from 2 to ", kMostHeadSize, ", got ", head_size);
  return {layers, heads, kv_heads, head_size};
}

void copy_pages(KvPages& kv, const py::object& pairs) {
  const auto array = require<int32_t>(pairs, "pairs", {kAny, 2});
  const int32_t* at = array.data();
  for (int64_t i = 0; i < 2 * array.shape(0); ++i)
    GENLIB_CHECK(at[i] >= 0 && at[i] < kv.num_pages(), "`pairs` must hold page ids from 0 to ",
                 kv.num_pages() - 1, ", got ", at[i]);
  without_gil([&] {
    for (int64_t i = 0; i < array.shape(0); ++i) kv.copy(at[2 * i], at[2 * i + 1]);
  });
}

double measure_bandwidth(Runtime& runtime, size_t bytes, int rounds) {
  double bandwidth = 0;
  without_gil([&] { bandwidth = read_bandwidth(runtime, bytes, rounds); });
  return bandwidth;
}

}  // namespace

void bind_cpu(py::module_& m) {
  py::class_<Runtime, std::shared_ptr<Runtime>>(m, "CpuRuntime")
      .def(py::init([](int threads, const std::string& width) {
             return std::make_shared<Runtime>(threads, width_named(width));
           }),
           py::arg("threads"), py::arg("width"))
      .def("pack", &pack, py::arg("tensors"), py::arg("dtype"), py::arg("bias"))
      .def("close", [](Runtime& runtime) { without_gil([&] { runtime.close(); }); })
      .def_property_readonly("threads", &Runtime::threads)
      .def_property_readonly("width", [](const Runtime& r) { return name_of(r.width()); });
  py::class_<PackedWeight, std::shared_ptr<PackedWeight>>(m, "CpuWeight")
      .def_property_readonly("shape", [](const PackedWeight& w) { return py::make_tuple(w.out(), w.in()); })
      .def_property_readonly("nbytes", &PackedWeight::bytes);
  py::class_<KvPages, std::shared_ptr<KvPages>>(m, "CpuKv")
      .def(py::init([](int layers, int heads, int kv_heads, int head_size, int64_t num_pages) {
             GENLIB_CHECK(num_pages >= 1, "`num_pages` must be at least 1, got ", num_pages);
             return std::make_shared<KvPages>(kv_shape(layers, heads, kv_heads, head_size), num_pages);
           }),
           py::arg("layers"), py::arg("heads"), py::arg("kv_heads"), py::arg("head_size"),
           py::arg("num_pages"))
      .def_property_readonly("num_pages", &KvPages::num_pages)
      .def("copy_pages", &copy_pages, py::arg("pairs"))
      .def("fill", &KvPages::fill, py::arg("value"));
  bind_program(m);
  m.def("cpu_page_bytes", [](int layers, int heads, int kv_heads, int head_size) {
    return kv_shape(layers, heads, kv_heads, head_size).page_bytes();
  });
  m.def("read_bandwidth", &measure_bandwidth, py::arg("runtime"), py::arg("bytes"), py::arg("rounds") = 5);
  m.def("cpu_widths", [] {
    std::vector<std::string> names;
    for (const NamedWidth& each : kWidths)
      if (is_supported(each.width)) names.emplace_back(each.name);
    return names;
  });
}

}  // namespace genlib
