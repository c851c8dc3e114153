// The beam step's split over the threads: the first beam of each search, then the others, which can ignore
// whatever is worse than all that the first one has; then each search's selection.
#include "cpu/beam/step.h"

#include <algorithm>
#include <limits>

namespace genlib {

namespace {

class BeamStep {
 public:
  explicit BeamStep(const BeamArgs& args) : args_(args), most_(most_candidates(args)) {}

  size_t shared_bytes() const {
    return static_cast<size_t>(args_.num_rows) *
           (static_cast<size_t>(most_) * sizeof(BeamCandidate) + sizeof(BeamFound));
  }

  void operator()(Runtime& runtime) const {
    const int searches = *args_.num_live;
    if (searches == 0) return;
    check_searches(args_);
    ThreadPool& pool = runtime.pool();
    pool.split(searches, 1, [&](int thread, int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) search_row(runtime, thread, static_cast<int>(i), 0);
    });
    int64_t others = 0;
    for (int i = 0; i < searches; ++i) others += beams(i) - 1;
    pool.split(others, 1, [&](int thread, int64_t first, int64_t last) {
      each_other(searches, first, last, [&](int live, int lane) { search_row(runtime, thread, live, lane); });
    });
    for (int i = 0; i < searches; ++i) choose(runtime, i);
  }

 private:
  int slot(int live) const { return args_.live[live]; }
  int beams(int live) const { return args_.num_beams[slot(live)]; }
  BeamCandidate* candidates(Runtime& runtime, int live, int lane) const {
    return static_cast<BeamCandidate*>(runtime.shared_scratch()) + (args_.first_row[live] + lane) * most_;
  }
  BeamFound& found(Runtime& runtime, int live, int lane) const {
    void* behind = static_cast<BeamCandidate*>(runtime.shared_scratch()) + args_.num_rows * most_;
    return static_cast<BeamFound*>(behind)[args_.first_row[live] + lane];
  }

  // visit(live, lane) for beams number first … last of those that are not the first of their search.
  template <typename Visit>
  void each_other(int searches, int64_t first, int64_t last, Visit&& visit) const {
    int64_t index = 0;
    for (int i = 0; i < searches && index < last; ++i)
      for (int lane = 1; lane < beams(i); ++lane, ++index)
        if (index >= first && index < last) visit(i, lane);
  }

  void search_row(Runtime& runtime, int thread, int live, int lane) const {
    const int wanted = args_.num_candidates[slot(live)];
    BeamRow beam = {args_.first_row[live] + lane, lane, wanted, args_.score[args_.lane[slot(live)] + lane],
                    -std::numeric_limits<float>::infinity()};
    if (lane > 0 && found(runtime, live, 0).count == wanted)
      beam.least = candidates(runtime, live, 0)[wanted - 1].score;
    found(runtime, live, lane) =
        runtime.kernels().beam_row(args_, beam, candidates(runtime, live, lane), runtime.scratch(thread));
  }

  void choose(Runtime& runtime, int live) const {
    BeamCandidate* all = candidates(runtime, live, 0);
    int64_t count = 0;
    int32_t status = sampling::kSampled;
    for (int lane = 0; lane < beams(live); ++lane) {
      const BeamFound& row = found(runtime, live, lane);
      const BeamCandidate* from = candidates(runtime, live, lane);
      std::copy(from, from + row.count, all + count);
      count += row.count;
      status = std::max(status, row.status);
    }
    args_.status[slot(live)] = status;
    if (status == sampling::kSampled) advance_search(args_, live, all, count);
  }

  BeamArgs args_;
  int64_t most_;
};

}  // namespace

Operation beam_step(Runtime& runtime, const BeamArgs& args) {
  const BeamStep step(args);
  runtime.reserve(sample_scratch_bytes(args.vocabulary), step.shared_bytes());
  return step;
}

}  // namespace genlib
