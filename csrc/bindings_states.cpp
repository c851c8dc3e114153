#include <pybind11/pybind11.h>

namespace genlib {
void bind_states(pybind11::module_&) {}
}  // namespace genlib
