// numpy arrays checked and taken as an operation's arguments, or refused by name: what the argument must be,
// and what it is.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "cpu/program/plan.h"

namespace genlib {

inline constexpr int64_t kAny = -1;

template <typename T>
using Array = pybind11::array_t<T, pybind11::array::c_style>;

inline std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += shape[i] == kAny ? "*" : std::to_string(shape[i]);
  }
  return text + "]";
}

inline std::string describe(pybind11::handle value) {
  if (!pybind11::isinstance<pybind11::array>(value)) return pybind11::str(pybind11::type::of(value));
  const auto array = pybind11::reinterpret_borrow<pybind11::array>(value);
  const std::vector<int64_t> shape(array.shape(), array.shape() + array.ndim());
  const bool contiguous = (array.flags() & pybind11::array::c_style) != 0;
  return concat(contiguous ? "" : "strided ", std::string(pybind11::str(array.dtype())), " ",
                shape_text(shape));
}

// kAny in `shape` stands for any size.
template <typename T>
Array<T> require(pybind11::handle value, const char* name, const std::vector<int64_t>& shape) {
  const auto expected = [&] {
    return concat("`", name, "` must be a C-contiguous ",
                  std::string(pybind11::str(pybind11::dtype::of<T>())), " array ", shape_text(shape),
                  ", got ", describe(value));
  };
  GENLIB_CHECK((pybind11::isinstance<Array<T>>(value)), expected());
  auto array = pybind11::reinterpret_borrow<Array<T>>(value);
  GENLIB_CHECK(array.ndim() == static_cast<pybind11::ssize_t>(shape.size()), expected());
  for (size_t i = 0; i < shape.size(); ++i)
    GENLIB_CHECK(shape[i] == kAny || array.shape(static_cast<pybind11::ssize_t>(i)) == shape[i], expected());
  return array;
}

template <typename T>
T* require_out(pybind11::handle value, const char* name, const std::vector<int64_t>& shape) {
  auto array = require<T>(value, name, shape);
  GENLIB_CHECK(array.writeable(), "`", name, "` is written to, but this array is read-only");
  return array.mutable_data();
}

// Arrays that are attributes of `object`, as pointers into them. keep(array) is called with each: the arrays
// must outlive the use of the pointers.
template <typename Keep>
class Fields {
 public:
  Fields(pybind11::handle object, Keep& keep) : object_(object), keep_(keep) {}

  template <typename T>
  void read(const T*& field, const char* name, const std::vector<int64_t>& shape) const {
    field = require<T>(kept(name), name, shape).data();
  }
  template <typename T>
  void write(T*& field, const char* name, const std::vector<int64_t>& shape) const {
    field = require_out<T>(kept(name), name, shape);
  }
  int64_t size(const char* name, int axis = 0) const {
    return pybind11::reinterpret_borrow<pybind11::array>(object_.attr(name)).shape(axis);
  }

 private:
  pybind11::object kept(const char* name) const {
    pybind11::object array = object_.attr(name);
    keep_(array);
    return array;
  }

  pybind11::handle object_;
  Keep& keep_;
};

// `rows` of the operations: None, or an int32 array of one element.
inline Count require_count(pybind11::handle rows, const char* name, int64_t most) {
  if (rows.is_none()) return {nullptr, most};
  return {require<int32_t>(rows, name, {1}).data(), most};
}

// genlib.ops.buffers.Plan, for buffers of `tokens` rows. keep(array) is called with each of its arrays: the
// plan may get others later.
template <typename Keep>
PlanView require_plan(pybind11::handle plan, int64_t tokens, Keep keep) {
  const auto take = [&](const char* name) {
    pybind11::object array = plan.attr(name);
    keep(array);
    return array;
  };
  const auto positions = require<int32_t>(take("positions"), "plan.positions", {kAny});
  const auto starts = require<int32_t>(take("starts"), "plan.starts", {kAny});
  const auto tables = require<int32_t>(take("tables"), "plan.tables", {kAny, kAny});
  const int64_t seqs = std::min<int64_t>(tables.shape(0), starts.size() - 1);
  return {require_count(take("num_tokens"), "plan.num_tokens", std::min<int64_t>(tokens, positions.size())),
          require_count(take("num_seqs"), "plan.num_seqs", std::max<int64_t>(seqs, 0)),
          positions.data(),
          starts.data(),
          tables.data(),
          tables.shape(1)};
}

}  // namespace genlib
