// The beam step's arguments, taken from numpy arrays: logits, and genlib.ops.searches.Searches.
#pragma once

#include <pybind11/numpy.h>

#include <type_traits>

#include "bindings/sampling_arrays.h"
#include "cpu/beam/beam.h"

namespace genlib {

// The arrays of Searches are kept by `keep`, called with each. Values are looked at when the step runs, but
// for the constants.
template <typename Keep>
BeamArgs beam_args(pybind11::handle logits, pybind11::handle searches, Keep keep) {
  namespace py = pybind11;
  BeamArgs args{};
  take_logits(logits, &args);
  args.num_rows = py::reinterpret_borrow<py::array>(logits).shape(0);
  const auto attribute = [&](const char* name) {
    py::object array = searches.attr(name);
    keep(array);
    return array;
  };
  const auto size = [&](const char* name, int axis = 0) {
    return py::reinterpret_borrow<py::array>(searches.attr(name)).shape(axis);
  };
  const auto take = [&](auto& field, const char* name, const std::vector<int64_t>& shape) {
    using T = std::remove_const_t<std::remove_pointer_t<std::remove_reference_t<decltype(field)>>>;
    field = require<T>(attribute(name), name, shape).data();
  };
  const auto give = [&](auto& field, const char* name, int64_t length) {
    using T = std::remove_pointer_t<std::remove_reference_t<decltype(field)>>;
    field = require_out<T>(attribute(name), name, {length});
  };
  take(args.num_live, "num_live", {1});
  take(args.live, "live", {kAny});
  const int64_t slots = args.num_slots = size("live");
  take(args.first_row, "first_row", {slots});
  take(args.lane, "lane", {slots});
  take(args.num_beams, "num_beams", {slots});
  take(args.num_candidates, "num_candidates", {slots});
  take(args.max_length, "max_length", {slots});
  take(args.stop_when_full, "stop_when_full", {slots});
  take(args.bound_length, "bound_length", {slots});
  take(args.norms, "norms", {slots, kAny});
  args.norms_stride = size("norms", 1);
  give(args.length, "length", slots);
  give(args.may_improve, "may_improve", slots);
  give(args.done, "done", slots);
  give(args.status, "status", slots);
  give(args.score, "score", kAny);
  const int64_t lanes = args.num_lanes = size("score");
  give(args.stop_state, "stop_state", lanes);
  give(args.parent, "parent", lanes);
  give(args.token, "token", lanes);
  give(args.pool_score, "pool_score", lanes);
  give(args.pool_length, "pool_length", lanes);
  give(args.pool_parent, "pool_parent", lanes);
  give(args.pool_token, "pool_token", lanes);
  give(args.pool_ended, "pool_ended", lanes);
  give(args.pool_match_end, "pool_match_end", lanes);
  take(args.eos_ids, "eos_ids", {kAny});
  args.num_eos = size("eos_ids");
  take(args.token_bytes, "token_bytes", {kAny});
  args.num_token_bytes = size("token_bytes");
  take(args.token_starts, "token_starts", {int64_t{args.vocabulary} + 1});
  take(args.stop_next, "stop_next", {kAny, 256});
  args.num_stop_states = size("stop_next");
  take(args.stop_ends, "stop_ends", {args.num_stop_states});
  return args;
}

}  // namespace genlib
