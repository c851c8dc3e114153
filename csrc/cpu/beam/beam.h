// The beam step's arguments, and its selection. The contract: genlib/ops/searches.py; the specification:
// genlib/ops/reference_beam.py, which this equals bit for bit.
#pragma once

#include <cstdint>

#include "cpu/sampling/sampling.h"

namespace genlib {

// Pointers into the caller's buffers; fields as in Searches.
struct BeamArgs : LogitArgs {
  int64_t num_rows, num_slots, num_lanes, norms_stride, num_stop_states, num_token_bytes;
  const int32_t *num_live, *live, *first_row;
  const int32_t *lane, *num_beams, *num_candidates, *max_length, *stop_when_full, *bound_length;
  const float* norms;
  int32_t *length, *may_improve, *done, *status;
  float* score;
  int32_t *stop_state, *parent, *token;
  float* pool_score;
  int32_t *pool_length, *pool_parent, *pool_token, *pool_ended, *pool_match_end;
  const int32_t* eos_ids;
  int64_t num_eos;
  const uint8_t* token_bytes;
  const int64_t* token_starts;
  const uint16_t* stop_next;
  const uint8_t* stop_ends;
};

// A beam's next token, and the sum of log-probabilities with it.
struct BeamCandidate {
  float score;
  int32_t lane, token;
};

// Whether `a` is the better one: by score, then the lower lane, then the lower token.
bool is_before(const BeamCandidate& a, const BeamCandidate& b);

// A row of logits to be searched for the candidates of one beam.
struct BeamRow {
  int row, lane, wanted;  // lane within its search; at most `wanted` candidates
  float sum;              // the beam's score
  float least;            // lower scores are not needed
};

// What a row gave: candidates with a score above -inf, and the row's Status.
struct BeamFound {
  int count, status;
};

// Beams of one search.
inline constexpr int kMaxBeams = 1024;

// Most candidates of one search that these buffers can hold: K if K is 1, else max(2, 1 + E) · K.
int64_t most_candidates(const BeamArgs& args);

// Checks that no live search reads or writes outside of the buffers, whatever they hold. Throws
// ArgumentError.
void check_searches(const BeamArgs& args);

// Chooses among the candidates of a search, which may be in any order, and advances its beams and its pool.
// There are fewer than wanted only if its rows have no more finite scores; `candidates` has room for as many
// as are wanted.
void advance_search(const BeamArgs& args, int live, BeamCandidate* candidates, int64_t count);

namespace sampling {
// The smallest float whose score, of a token of a row with this peak and log_total, is that of `value`.
float score_floor(float value, float peak, double log_of_total, float sum);
}  // namespace sampling

}  // namespace genlib
