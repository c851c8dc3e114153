// Checks whose messages name the value, what it must be, and what it is.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace genlib {

// An argument is wrong. Becomes ValueError in Python.
struct ArgumentError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// One of the library's own invariants does not hold. Becomes RuntimeError in Python.
struct IntegrityError : std::logic_error {
  using std::logic_error::logic_error;
};

template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace genlib

#define GENLIB_CHECK(condition, ...)                                                \
  do {                                                                              \
    if (!(condition)) throw ::genlib::ArgumentError(::genlib::concat(__VA_ARGS__)); \
  } while (0)

#define GENLIB_INTEGRITY(condition, ...)                                             \
  do {                                                                               \
    if (!(condition)) throw ::genlib::IntegrityError(::genlib::concat(__VA_ARGS__)); \
  } while (0)
