// The extension's entry. Only this folder includes pybind11; each of its files binds one part.
#include <pybind11/pybind11.h>

namespace genlib {
void bind_states(pybind11::module_& m);
void bind_cpu(pybind11::module_& m);
void bind_sampling(pybind11::module_& m);
}  // namespace genlib

PYBIND11_MODULE(_native, m) {
  m.doc() = "Pages and states, and the CPU's operations. See genlib/_native.pyi for the signatures.";
  genlib::bind_states(m);
  genlib::bind_cpu(m);
  genlib::bind_sampling(m);
}
