// The beam step's arguments, taken from numpy arrays: logits, and genlib.ops.searches.SearchBuffers.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>

#include "bindings/sampling_arrays.h"
#include "cpu/beam/beam.h"

namespace genlib {

// What a search is, by slot; and what all share: the end of text, the tokens' bytes, the stop sequences'
// automaton.
template <typename Keep>
void read_searches(const Fields<Keep>& fields, BeamArgs* args) {
  fields.read(args->num_live, "num_live", {1});
  fields.read(args->live, "live", {kAny});
  const int64_t slots = args->num_slots = fields.size("live");
  fields.read(args->first_row, "first_row", {slots});
  fields.read(args->lane, "lane", {slots});
  fields.read(args->num_beams, "num_beams", {slots});
  fields.read(args->num_candidates, "num_candidates", {slots});
  fields.read(args->max_length, "max_length", {slots});
  fields.read(args->stop_when_full, "stop_when_full", {slots});
  fields.read(args->bound_length, "bound_length", {slots});
  fields.read(args->norms, "norms", {slots, kAny});
  args->norms_stride = fields.size("norms", 1);
  fields.read(args->eos_ids, "eos_ids", {kAny});
  args->num_eos = fields.size("eos_ids");
  fields.read(args->token_bytes, "token_bytes", {kAny});
  args->num_token_bytes = fields.size("token_bytes");
  fields.read(args->token_starts, "token_starts", {int64_t{args->vocabulary} + 1});
  fields.read(args->stop_next, "stop_next", {kAny, 256});
  args->num_stop_states = fields.size("stop_next");
  fields.read(args->stop_ends, "stop_ends", {args->num_stop_states});
}

// How far the searches are: by slot, and by lane their beams and the finished ones.
template <typename Keep>
void write_searches(const Fields<Keep>& fields, BeamArgs* args) {
  const int64_t slots = args->num_slots;
  fields.write(args->length, "length", {slots});
  fields.write(args->may_improve, "may_improve", {slots});
  fields.write(args->done, "done", {slots});
  fields.write(args->status, "status", {slots});
  fields.write(args->score, "score", {kAny});
  const int64_t lanes = args->num_lanes = fields.size("score");
  fields.write(args->stop_state, "stop_state", {lanes});
  fields.write(args->parent, "parent", {lanes});
  fields.write(args->token, "token", {lanes});
  fields.write(args->pool_score, "pool_score", {lanes});
  fields.write(args->pool_length, "pool_length", {lanes});
  fields.write(args->pool_parent, "pool_parent", {lanes});
  fields.write(args->pool_token, "pool_token", {lanes});
  fields.write(args->pool_ended, "pool_ended", {lanes});
  fields.write(args->pool_match_end, "pool_match_end", {lanes});
}

// Values are checked when the step runs, all but the constants. `keep`: see Fields.
template <typename Keep>
BeamArgs beam_args(pybind11::handle logits, pybind11::handle searches, Keep keep) {
  BeamArgs args{};
  args.num_rows = take_logits(logits, &args);
  const Fields<Keep> fields(searches, keep);
  read_searches(fields, &args);
  write_searches(fields, &args);
  return args;
}

}  // namespace genlib
