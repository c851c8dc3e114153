#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "bindings/arrays.h"
#include "bindings/beam_arrays.h"
#include "bindings/gil.h"
#include "bindings/sampling_arrays.h"
#include "cpu/attention/attend.h"
#include "cpu/beam/step.h"
#include "cpu/layers/operations.h"
#include "cpu/sampling/operation.h"

namespace py = pybind11;

namespace genlib {

namespace {

// A program and the arrays and weights that its operations point into.
class BoundProgram {
 public:
  explicit BoundProgram(std::shared_ptr<Runtime> runtime) : program_(std::move(runtime)) {}

  void keep(py::object object) { kept_.push_back(std::move(object)); }
  // Of the arrays themselves: a plan object may be given others, which the operations do not follow.
  auto keeper() {
    return [this](const py::object& array) { keep(array); };
  }

  void embed(const py::object& ids, std::shared_ptr<PackedWeight> weight, const py::object& out,
             const py::object& rows) {
    const auto index = require<int32_t>(ids, "ids", {kAny});
    float* to = require_out<float>(out, "out", {kAny, weight->in()});
    const int64_t most = std::min<int64_t>(index.size(), size_of(out));
    add(genlib::embed(index.data(), std::move(weight), to, require_count(rows, "rows", most)), ids, out,
        rows);
  }

  void gather_rows(const py::object& x, const py::object& index, const py::object& out,
                   const py::object& rows) {
    const auto from = require<float>(x, "x", {kAny, kAny});
    const auto which = require<int32_t>(index, "index", {kAny});
    float* to = require_out<float>(out, "out", {kAny, from.shape(1)});
    const Count count = require_count(rows, "rows", std::min<int64_t>(which.size(), size_of(out)));
    add(genlib::gather_rows(from.data(), from.shape(0), from.shape(1), which.data(), to, count), x, index,
        out, rows);
  }

  void linear(const py::object& x, std::shared_ptr<PackedWeight> weight, const py::object& out,
              const py::object& rows) {
    const auto from = require<float>(x, "x", {kAny, weight->in()});
    float* to = require_out<float>(out, "out", {kAny, weight->out()});
    const Count count = require_count(rows, "rows", std::min(size_of(x), size_of(out)));
    program_.add_weight(weight->bytes());
    add(genlib::linear(from.data(), std::move(weight), to, count), x, out, rows);
  }

  void rms_norm(const py::object& x, const py::object& residual, const py::object& weight, float eps,
                const py::object& out, const py::object& rows) {
    const auto from = require<float>(x, "x", {kAny, kAny});
    const int64_t size = from.shape(1);
    GENLIB_CHECK(size > 0, "`x` must have at least one column, got ", describe(x));
    float* to = require_out<float>(out, "out", {kAny, size});
    float* sums = residual.is_none() ? nullptr : require_out<float>(residual, "residual", {kAny, size});
    int64_t most = std::min(size_of(x), size_of(out));
    if (sums != nullptr) most = std::min(most, size_of(residual));
    const NormArgs args = {from.data(), sums, require<float>(weight, "weight", {size}).data(), to, size, eps};
    add(genlib::rms_norm(args, require_count(rows, "rows", most)), x, residual, weight, out, rows);
  }

  void silu_mul(const py::object& x, const py::object& out, const py::object& rows) {
    float* to = require_out<float>(out, "out", {kAny, kAny});
    const int64_t size = py::reinterpret_borrow<py::array>(out).shape(1);
    const SiluArgs args = {require<float>(x, "x", {kAny, 2 * size}).data(), to, size};
    add(genlib::silu_mul(args, require_count(rows, "rows", std::min(size_of(x), size_of(out)))), x, out,
        rows);
  }

  void rope_write(const py::object& qkv, const py::object& norms, float eps, const py::object& rope,
                  std::shared_ptr<KvPages> kv, int layer, const py::object& plan, const py::object& out) {
    const KvShape& shape = kv->shape();
    const int64_t size = shape.head_size;
    GENLIB_CHECK(layer >= 0 && layer < shape.layers, "`layer` must be from 0 to ", shape.layers - 1, ", got ",
                 layer);
    RopeTensors t{};
    t.qkv = require<float>(qkv, "qkv", {kAny, (shape.heads + 2 * shape.kv_heads) * size}).data();
    t.out = require_out<float>(out, "out", {kAny, shape.heads * size});
    t.eps = eps;
    if (!norms.is_none()) {
      t.q_norm = require<float>(norms[py::int_(0)], "norms[0]", {size}).data();
      t.k_norm = require<float>(norms[py::int_(1)], "norms[1]", {size}).data();
    }
    const auto cos = require<float>(rope[py::int_(0)], "rope[0]", {kAny, size / 2});
    t.cos = cos.data();
    t.num_positions = cos.shape(0);
    t.sin = require<float>(rope[py::int_(1)], "rope[1]", {cos.shape(0), size / 2}).data();
    const PlanView view = require_plan(plan, std::min(size_of(qkv), size_of(out)), keeper());
    add(genlib::rope_write(t, std::move(kv), layer, view), qkv, norms, rope, out);
  }

  void attend(const py::object& q, std::shared_ptr<KvPages> kv, int layer, const py::object& plan,
              const py::object& out) {
    const KvShape& shape = kv->shape();
    const int64_t size = int64_t{shape.heads} * shape.head_size;
    GENLIB_CHECK(layer >= 0 && layer < shape.layers, "`layer` must be from 0 to ", shape.layers - 1, ", got ",
                 layer);
    const auto from = require<float>(q, "q", {kAny, size});
    float* to = require_out<float>(out, "out", {kAny, size});
    const PlanView view = require_plan(plan, std::min(size_of(q), size_of(out)), keeper());
    add(genlib::attend(program_.runtime(), from.data(), std::move(kv), layer, view, to), q, out);
  }

  void sample(const py::object& logits, const py::object& params, const py::object& plan,
              const py::object& out) {
    const SampleArgs args = sample_args(logits, params, out, keeper());
    const Count rows = require_count(plan.attr("num_sampled"), "plan.num_sampled", size_of(logits));
    add(genlib::sample(program_.runtime(), args, rows), logits, plan.attr("num_sampled"));
  }

  void beam_step(const py::object& logits, const py::object& searches) {
    const BeamArgs args = beam_args(logits, searches, keeper());
    add(genlib::beam_step(program_.runtime(), args), logits);
  }

  void run() {
    without_gil([&] { program_.run(); });
  }

  Program& program() { return program_; }

 private:
  static int64_t size_of(const py::object& array) {
    return py::reinterpret_borrow<py::array>(array).shape(0);
  }

  template <typename... Objects>
  void add(Operation operation, const Objects&... objects) {
    (keep(objects), ...);
    program_.add(std::move(operation));
  }

  Program program_;
  std::vector<py::object> kept_;
};

}  // namespace

void bind_program(py::module_& m) {
  py::class_<BoundProgram>(m, "CpuProgram")
      .def(py::init<std::shared_ptr<Runtime>>(), py::arg("runtime"))
      .def("embed", &BoundProgram::embed)
      .def("gather_rows", &BoundProgram::gather_rows)
      .def("linear", &BoundProgram::linear)
      .def("rms_norm", &BoundProgram::rms_norm)
      .def("silu_mul", &BoundProgram::silu_mul)
      .def("rope_write", &BoundProgram::rope_write)
      .def("attend", &BoundProgram::attend)
      .def("sample", &BoundProgram::sample)
      .def("beam_step", &BoundProgram::beam_step)
      .def("run", &BoundProgram::run)
      .def("__len__", [](BoundProgram& p) { return p.program().size(); });
}

}  // namespace genlib
