// The best next tokens of one beam, by score: the sum of log-probabilities with the token.
#pragma once

#include "cpu/beam/beam.h"
#include "cpu/sampling/select.inc.h"
#include "cpu/sampling/values.inc.h"

namespace genlib::GENLIB_WIDTH {

// The best `wanted` of what is added, best first.
struct BestCandidates {
  BeamCandidate* list;
  int wanted, count;

  void add(const BeamCandidate& candidate) {
    if (count == wanted && !is_before(candidate, list[count - 1])) return;
    int at = count < wanted ? count++ : count - 1;
    for (; at > 0 && is_before(candidate, list[at - 1]); --at) list[at] = list[at - 1];
    list[at] = candidate;
  }
};

// Candidates of a beam into `to`, which has room for as many as are wanted. Unequal logits can have equal
// scores, of which the lower token wins: so every token that scores as the last one wanted does is
// considered.
inline BeamFound beam_row(const LogitArgs& args, const BeamRow& beam, BeamCandidate* to, void* scratch) {
  Row row = read_logits(args, beam.row, sample_scratch(scratch, args.vocabulary), nullptr);
  const float peak = row.against.peak;
  if (peak == __builtin_inff()) return {0, sampling::kInfinite};
  if (peak == -__builtin_inff()) return {0, sampling::kNothingFinite};
  if (beam.sum < beam.least) return {0, sampling::kSampled};
  const double log_of_total = sampling::log_total(sum_tiles(row, nullptr).model);
  BestCandidates best = {to, beam.wanted, 0};
  float floor = kLowest;
  if (beam.wanted < row.num_finite) {
    const Boundary last = find_boundary<Measure::kCount>(&row, static_cast<uint64_t>(beam.wanted),
                                                         static_cast<uint64_t>(row.num_finite));
    floor = sampling::score_floor(last.value, peak, log_of_total, beam.sum);
  }
  for (int t = 0; t < row.num_tiles; ++t) {
    if (!(row.tile_peak[t] >= floor)) continue;
    const int end = tile_end(row, t);
    for (int i = t * kSampleTile; i < end; i += kLanes) {
      uint32_t bits = bits_of(at_least(load_values(row.values + i, end - i), floor));
      for (; bits != 0; bits &= bits - 1) {
        const int token = i + __builtin_ctz(bits);
        const float score = sampling::logprob(row.values[token], peak, log_of_total) + beam.sum;
        if (score >= beam.least && score > -__builtin_inff()) best.add({score, beam.lane, token});
      }
    }
  }
  return {best.count, sampling::kSampled};
}

}  // namespace genlib::GENLIB_WIDTH
