// genlib._native.StateTable: thin calls, which only check their arrays. See genlib/_native.pyi.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>

#include "base/check.h"
#include "states/table.h"

namespace genlib {
namespace {

namespace py = pybind11;
using Handle = StateTable::Handle;

template <typename T>
constexpr const char* type_name() {
  return sizeof(T) == sizeof(int64_t) ? "int64" : "int32";
}

std::string describe(py::handle value) {
  if (!py::isinstance<py::array>(value)) return py::str(py::type::of(value));
  const auto array = py::reinterpret_borrow<py::array>(value);
  return concat(std::string(py::str(array.dtype())), " with ", array.ndim(), " dimension(s)",
                array.flags() & py::array::c_style ? "" : ", not C-contiguous");
}

// Nothing is converted: a copy would hide the cost, and results written to a copy would be lost.
template <typename T>
py::array_t<T> checked(py::handle value, const char* name, int dimensions) {
  using Array = py::array_t<T, py::array::c_style>;
  if (!Array::check_(value) || py::reinterpret_borrow<Array>(value).ndim() != dimensions) {
    throw py::type_error(concat("`", name, "` must be a C-contiguous numpy array of ", type_name<T>(),
                                " with ", dimensions, " dimension(s), got ", describe(value)));
  }
  return py::reinterpret_borrow<Array>(value);
}

template <typename T>
std::span<const T> input(py::handle value, const char* name) {
  const auto array = checked<T>(value, name, 1);
  return {array.data(), static_cast<size_t>(array.size())};
}

template <typename Array>
auto* writable(Array& array, const char* name) {
  GENLIB_CHECK(array.writeable(), "`", name, "` must be writable, got a read-only array");
  return array.mutable_data();
}

template <typename T = int32_t>
std::span<T> output(py::handle value, const char* name) {
  auto array = checked<T>(value, name, 1);
  return {writable(array, name), static_cast<size_t>(array.size())};
}

Grid<int32_t> output_grid(py::handle value, const char* name) {
  auto array = checked<int32_t>(value, name, 2);
  return {writable(array, name), array.shape(0), array.shape(1)};
}

int64_t fill(StateTable& table, py::object handles, py::object counts, py::object ids, py::object positions,
             py::object starts, py::object lengths, py::object tables, py::object rows) {
  const BatchBuffers out{
      .ids = output(ids, "ids"),
      .positions = output(positions, "positions"),
      .rows = rows.is_none() ? std::span<int32_t>() : output(rows, "rows"),
      .starts = output(starts, "starts"),
      .lengths = output(lengths, "lengths"),
      .tables = output_grid(tables, "tables"),
  };
  return table.fill(input<Handle>(handles, "handles"), input<int32_t>(counts, "counts"), out);
}

py::array_t<int32_t> tokens_of(const StateTable& table, Handle handle) {
  py::array_t<int32_t> tokens(table.length(handle));
  table.copy_tokens(handle, tokens.mutable_data());
  return tokens;
}

py::array_t<int32_t> pages_of(const StateTable& table, Handle handle) {
  const auto pages = table.pages(handle);
  return py::array_t<int32_t>(static_cast<py::ssize_t>(pages.size()), pages.data());
}

void bind_batches(py::class_<StateTable>& table) {
  table
      .def(
          "append_one",
          [](StateTable& self, py::object handles, py::object tokens) {
            self.append_one(input<Handle>(handles, "handles"), input<int32_t>(tokens, "tokens"));
          },
          py::arg("handles"), py::arg("tokens"))
      .def(
          "branch",
          [](StateTable& self, py::object handles, py::object parents) {
            self.branch(output<Handle>(handles, "handles"), input<int32_t>(parents, "parents"));
          },
          py::arg("handles"), py::arg("parents"))
      .def(
          "commit_many",
          [](StateTable& self, py::object handles, py::object computed) {
            self.commit_many(input<Handle>(handles, "handles"), input<int32_t>(computed, "computed"));
          },
          py::arg("handles"), py::arg("computed"))
      .def(
          "take_copies",
          [](StateTable& self, py::object out) { return self.take_copies(output_grid(out, "out")); },
          py::arg("out"))
      .def("fill", &fill, py::arg("handles"), py::arg("counts"), py::arg("ids"), py::arg("positions"),
           py::arg("starts"), py::arg("lengths"), py::arg("tables"), py::arg("rows") = py::none())
      .def(
          "block_tables",
          [](const StateTable& self, py::object handles, py::object tables) {
            self.block_tables(input<Handle>(handles, "handles"), output_grid(tables, "tables"));
          },
          py::arg("handles"), py::arg("tables"));
}

void bind_getters(py::class_<StateTable>& table) {
  table.def("length", &StateTable::length, py::arg("handle"))
      .def("computed", &StateTable::computed, py::arg("handle"))
      .def("reserved", &StateTable::reserved, py::arg("handle"))
      .def("namespace", &StateTable::space, py::arg("handle"))
      .def("tokens", &tokens_of, py::arg("handle"))
      .def("pages", &pages_of, py::arg("handle"))
      .def_property_readonly("num_pages", [](const StateTable& self) { return self.pool().num_pages(); })
      .def_property_readonly("num_free", [](const StateTable& self) { return self.pool().num_free(); })
      .def_property_readonly("num_released",
                             [](const StateTable& self) { return self.pool().num_released(); })
      .def_property_readonly("num_reserved", &StateTable::num_reserved)
      .def_property_readonly("num_entries", &StateTable::num_entries)
      .def_property_readonly("num_copies", &StateTable::num_copies)
      .def("check_integrity", &StateTable::check_integrity);
}

}  // namespace

void bind_states(py::module_& m) {
  m.attr("PAGE_SIZE") = kPageSize;
  py::register_exception<OutOfPages>(m, "OutOfPages");
  py::class_<StateTable> table(m, "StateTable");
  table.def(py::init<int32_t, uint32_t>(), py::arg("num_pages"), py::arg("hash_mask") = UINT32_MAX)
      .def("create", &StateTable::create, py::arg("namespace"))
      .def("fork", &StateTable::fork, py::arg("handle"))
      .def("free", &StateTable::free, py::arg("handle"))
      .def(
          "match",
          [](StateTable& self, Handle handle, py::object tokens) {
            return self.match(handle, input<int32_t>(tokens, "tokens"));
          },
          py::arg("handle"), py::arg("tokens"))
      .def(
          "append",
          [](StateTable& self, Handle handle, py::object tokens) {
            self.append(handle, input<int32_t>(tokens, "tokens"));
          },
          py::arg("handle"), py::arg("tokens"))
      .def("truncate", &StateTable::truncate, py::arg("handle"), py::arg("n"))
      .def("commit", &StateTable::commit, py::arg("handle"), py::arg("computed"))
      .def("reserve", &StateTable::reserve, py::arg("handle"), py::arg("num_tokens"))
      .def("unreserve", &StateTable::unreserve, py::arg("handle"));
  bind_batches(table);
  bind_getters(table);
}

}  // namespace genlib
