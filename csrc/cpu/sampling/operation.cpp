#include "cpu/sampling/operation.h"

namespace genlib {

Operation sample(Runtime& runtime, const SampleArgs& args, Count rows) {
  runtime.reserve(sample_scratch_bytes(args.vocabulary));
  return [=](Runtime& run) {
    const int64_t n = rows.get();
    check_sample_rows(args, n);
    ThreadPool& pool = run.pool();
    // Each row is one thread's; left-over rows that would keep less than half of the threads busy are taken
    // one after another by all threads together.
    const int64_t left = args.vocabulary < kShareable ? 0 : n % pool.size();
    const int64_t shared = 2 * left <= pool.size() ? left : 0;
    pool.split(n - shared, 1, [&](int thread, int64_t first, int64_t last) {
      run.kernels().sample_rows(args, static_cast<int>(first), static_cast<int>(last), run.scratch(thread),
                                nullptr);
    });
    const SampleTeam team = {
        &pool, [](void* self, int pieces, void (*body)(void*, int, int), void* argument) {
          static_cast<ThreadPool*>(self)->split(pieces, 1, [&](int, int64_t first, int64_t last) {
            body(argument, static_cast<int>(first), static_cast<int>(last));
          });
        }};
    run.kernels().sample_rows(args, static_cast<int>(n - shared), static_cast<int>(n), run.scratch(0),
                              pool.size() > 1 ? &team : nullptr);
  };
}

}  // namespace genlib
