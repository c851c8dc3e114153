// Selection: which candidates become the next beams, which are finished, and when to stop. Scalar, once a
// step.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "cpu/beam/beam.h"

namespace genlib {

namespace {

constexpr float kOut = -1e9f;
constexpr int32_t kNoMatch = -1;

// One search at one step.
class Search {
 public:
  Search(const BeamArgs& args, int live)
      : args_(args),
        slot_(args.live[live]),
        beams_(args.num_beams[slot_]),
        lane_(args.lane[slot_]),
        wanted_(std::min(int64_t{args.num_candidates[slot_]}, int64_t{beams_} * args.vocabulary)) {}

  void advance(BeamCandidate* candidates, int64_t count) {
    const int64_t chosen = std::min(wanted_, count);
    std::partial_sort(candidates, candidates + chosen, candidates + count, is_before);
    count = chosen < wanted_ ? fill(candidates, chosen) : chosen;
    ++args_.length[slot_];
    const bool is_last = args_.length[slot_] >= args_.max_length[slot_];
    bool all_end = true;
    const bool takes = takes_finished();
    int running = 0;
    for (int64_t i = 0; i < count; ++i) {
      const Step step = follow(candidates[i], is_last);
      all_end = all_end && step.ends;
      if (step.ends && takes && i < beams_) insert(step);
      running = keep(step, running);
    }
    for (int k = 0; k < beams_; ++k) store(k);
    check_improvement();
    args_.done[slot_] =
        args_.may_improve[slot_] == 0 || (is_full() && args_.stop_when_full[slot_] != 0) || all_end;
  }

 private:
  // A candidate, followed: what its running score is, and how it ends.
  struct Step {
    BeamCandidate candidate;
    float running;
    int32_t stop_state, match_end;
    bool ended, ends;
  };

  // Appends tokens without a score, by lane and id.
  int64_t fill(BeamCandidate* candidates, int64_t count) const {
    constexpr float kNone = -std::numeric_limits<float>::infinity();
    const auto by_place = [](const BeamCandidate& a, const BeamCandidate& b) {
      return a.lane != b.lane ? a.lane < b.lane : a.token < b.token;
    };
    const int64_t scored = count;
    std::sort(candidates, candidates + scored, by_place);
    int64_t next = 0;
    for (int lane = 0; lane < beams_ && count < wanted_; ++lane)
      for (int token = 0; token < args_.vocabulary && count < wanted_; ++token) {
        if (next < scored && candidates[next].lane == lane && candidates[next].token == token) {
          ++next;
        } else {
          candidates[count++] = {kNone, lane, token};
        }
      }
    std::sort(candidates, candidates + scored, is_before);
    return count;
  }

  Step follow(const BeamCandidate& candidate, bool is_last) const {
    int32_t state = args_.stop_state[lane_ + candidate.lane], match_end = kNoMatch;
    const int64_t first = args_.token_starts[candidate.token];
    const int64_t end = std::min(args_.token_starts[candidate.token + 1], args_.num_token_bytes);
    for (int64_t i = first; i >= 0 && state != 0 && match_end == kNoMatch && i < end; ++i) {
      state = args_.stop_next[int64_t{state} * 256 + args_.token_bytes[i]];
      if (args_.stop_ends[state] != 0) match_end = static_cast<int32_t>(i - first + 1);
    }
    const int32_t* eos_end = args_.eos_ids + args_.num_eos;
    const bool ended = match_end != kNoMatch || std::find(args_.eos_ids, eos_end, candidate.token) != eos_end;
    const bool ends = ended || is_last;
    return {candidate, ends ? candidate.score + kOut : candidate.score, state, match_end, ended, ends};
  }

  bool is_full() const {
    const int32_t* length = args_.pool_length + lane_;
    return std::all_of(length, length + beams_, [](int32_t n) { return n > 0; });
  }
  bool takes_finished() const {
    return args_.may_improve[slot_] != 0 && !(is_full() && args_.stop_when_full[slot_] != 0);
  }

  float norm(int64_t length) const { return args_.norms[slot_ * args_.norms_stride + length]; }

  // Inserts into the pool, which is sorted, after equal scores; the worst is dropped.
  void insert(const Step& step) {
    const float score = step.candidate.score / norm(args_.length[slot_]);
    float* scores = args_.pool_score + lane_;
    int at = beams_;
    while (at > 0 && scores[at - 1] < score) --at;
    if (at == beams_) return;
    for (int32_t* field :
         {args_.pool_length, args_.pool_parent, args_.pool_token, args_.pool_ended, args_.pool_match_end})
      std::move_backward(field + lane_ + at, field + lane_ + beams_ - 1, field + lane_ + beams_);
    std::move_backward(scores + at, scores + beams_ - 1, scores + beams_);
    scores[at] = score;
    args_.pool_length[lane_ + at] = args_.length[slot_];
    args_.pool_parent[lane_ + at] = step.candidate.lane;
    args_.pool_token[lane_ + at] = step.candidate.token;
    args_.pool_ended[lane_ + at] = step.ended;
    args_.pool_match_end[lane_ + at] = step.match_end;
  }

  // The beams of the next step, best running score first, equal ones in the order in which they came.
  int keep(const Step& step, int count) {
    int at = count;
    while (at > 0 && next_[at - 1].running < step.running) --at;
    if (at >= beams_) return count;
    count = std::min(count + 1, beams_);
    for (int k = count - 1; k > at; --k) next_[k] = next_[k - 1];
    next_[at] = step;
    return count;
  }

  void store(int k) {
    args_.score[lane_ + k] = next_[k].running;
    args_.parent[lane_ + k] = next_[k].candidate.lane;
    args_.token[lane_ + k] = next_[k].candidate.token;
    args_.stop_state[lane_ + k] = next_[k].stop_state;
  }

  void check_improvement() {
    const int32_t bound = args_.bound_length[slot_];
    const float best = args_.score[lane_] / norm(bound != 0 ? bound : args_.length[slot_]);
    const float worst = *std::min_element(args_.pool_score + lane_, args_.pool_score + lane_ + beams_);
    bool any = false;
    for (int k = 0; k < beams_; ++k) any = any || best > (args_.pool_length[lane_ + k] > 0 ? worst : kOut);
    args_.may_improve[slot_] = args_.may_improve[slot_] != 0 && any;
  }

  const BeamArgs& args_;
  int slot_, beams_, lane_;
  int64_t wanted_;
  Step next_[kMaxBeams];
};

void check_range(const char* field, int slot, int64_t low, int64_t high, int64_t value) {
  GENLIB_CHECK(value >= low && value <= high, "`", field, "[", slot, "]` must be from ", low, " to ", high,
               ", got ", value);
}

void check_search(const BeamArgs& args, int live) {
  check_range("live", live, 0, args.num_slots - 1, args.live[live]);
  const int slot = args.live[live];
  const int64_t beams = args.num_beams[slot], each = std::max<int64_t>(2, 1 + args.num_eos);
  check_range("num_beams", slot, 1, std::min<int64_t>(kMaxBeams, args.num_rows), beams);
  check_range("lane", slot, 0, args.num_lanes - beams, args.lane[slot]);
  check_range("first_row", live, 0, args.num_rows - beams, args.first_row[live]);
  check_range("num_candidates", slot, beams, each * beams, args.num_candidates[slot]);
  check_range("length", slot, 0, args.norms_stride - 2, args.length[slot]);
  check_range("bound_length", slot, 0, args.norms_stride - 1, args.bound_length[slot]);
  for (int64_t lane = args.lane[slot]; lane < args.lane[slot] + beams; ++lane)
    check_range("stop_state", static_cast<int>(lane), 0, args.num_stop_states - 1, args.stop_state[lane]);
}

}  // namespace

bool is_before(const BeamCandidate& a, const BeamCandidate& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.lane != b.lane ? a.lane < b.lane : a.token < b.token;
}

int64_t most_candidates(const BeamArgs& args) {
  return std::max<int64_t>(2, 1 + args.num_eos) * std::min<int64_t>(kMaxBeams, args.num_rows);
}

void check_searches(const BeamArgs& args) {
  check_range("num_live", 0, 0, args.num_slots, args.num_live[0]);
  for (int i = 0; i < args.num_live[0]; ++i) check_search(args, i);
}

void advance_search(const BeamArgs& args, int live, BeamCandidate* candidates, int64_t count) {
  Search(args, live).advance(candidates, count);
}

float sampling::score_floor(float value, float peak, double log_of_total, float sum) {
  const auto score = [&](float x) { return logprob(x, peak, log_of_total) + sum; };
  const float wanted = score(value);
  int64_t low = order_key(-FLT_MAX), high = order_key(value);
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (score(from_order_key(static_cast<int32_t>(middle))) >= wanted) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return from_order_key(static_cast<int32_t>(high));
}

}  // namespace genlib
