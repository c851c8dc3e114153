// Work without the interpreter's lock.
#pragma once

#include <pybind11/pybind11.h>
#include <unistd.h>

#include <exception>

namespace genlib {

inline bool is_interpreter_ending() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

// body() without the lock, which is held again when this returns or throws. A thread that the end of the
// interpreter finds here never gets the lock again: Python before 3.14 would unwind it, through destructors
// that must not throw, and the process would abort. It stays here instead, as with later ones, until the
// process has gone.
template <typename Body>
void without_gil(Body&& body) {
  PyThreadState* const state = PyEval_SaveThread();
  std::exception_ptr error;
  try {
    body();
  } catch (...) {
    error = std::current_exception();
  }
  while (is_interpreter_ending()) pause();
  PyEval_RestoreThread(state);
  if (error) std::rethrow_exception(error);
}

}  // namespace genlib
