// Attention's split over the threads: by blocks of rows, or, where these are few and long, by chunks of
// positions.
#include "cpu/attention/attend.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace genlib {

namespace {

constexpr int64_t kItemsPerThread = 4;   // from this many blocks on, a block is one thread's
constexpr int64_t kSlotsPerThread = 16;  // chunks in flight, of all blocks together

class Attend {
 public:
  Attend(const float* q, std::shared_ptr<KvPages> kv, int layer, const PlanView& plan, float* out)
      : kv_(std::move(kv)), plan_(plan) {
    const KvShape& shape = kv_->shape();
    args_ = {q,
             out,
             kv_->layer(layer),
             plan.positions,
             plan.starts,
             plan.tables,
             plan.max_pages,
             shape.heads,
             1.0f / std::sqrt(static_cast<float>(shape.head_size))};
    partial_floats_ = int64_t{kAttendRows} * (shape.padded_size() + kLanes);
  }

  // Scores of a block, and two partials.
  size_t thread_bytes() const {
    return static_cast<size_t>(kAttendRows * kChunk + 2 * partial_floats_) * sizeof(float);
  }
  size_t shared_bytes(int threads) const {
    return static_cast<size_t>(threads * (kItemsPerThread + kSlotsPerThread) * partial_floats_) *
           sizeof(float);
  }

  void operator()(Runtime& runtime) const {
    const int64_t n = plan_.num_tokens.get(), seqs = plan_.num_seqs.get();
    if (n == 0) return;
    GENLIB_CHECK(seqs > 0 && plan_.starts[seqs] == n, "`plan.starts` must end with num_tokens = ", n);
    int64_t blocks = 0, chunks = 0, pairs = 0;
    for (int64_t seq = 0; seq < seqs; ++seq) {
      const int64_t queries = queries_of(seq);
      if (queries == 0) continue;
      const int64_t length = plan_.positions[plan_.starts[seq + 1] - 1] + 1;
      GENLIB_CHECK(length >= queries && length <= plan_.max_pages * kPageSize, "sequence ", seq,
                   " of the plan has ", queries, " queries and ", length, " positions, its table holds ",
                   plan_.max_pages * kPageSize);
      chunks = std::max(chunks, (length + kChunk - 1) / kChunk);
      pairs += queries * length;
    }
    for (int seq = 0; seq < seqs;) {
      const int end = end_of_band(seq);
      blocks += blocks_of(plan_.starts[end] - plan_.starts[seq]) * args_.pages.kv_heads;
      seq = end;
    }
    ThreadPool& pool = runtime.pool();
    if (pool.size() == 1 || pairs * args_.heads * args_.pages.head_size < kSmall)
      by_blocks(runtime, 0, 0, blocks);
    else if (chunks == 1 || blocks >= kItemsPerThread * pool.size())
      pool.split(blocks, 1,
                 [&](int thread, int64_t first, int64_t last) { by_blocks(runtime, thread, first, last); });
    else
      by_chunks(runtime, blocks, chunks);
  }

 private:
  static constexpr int64_t kSmall = 1
                                    << 15;  // multiply-adds of the scores: about a microsecond of one thread

  int64_t group() const { return args_.heads / args_.pages.kv_heads; }
  int64_t blocks_of(int64_t queries) const { return (queries * group() + kAttendRows - 1) / kAttendRows; }

  int64_t queries_of(int64_t seq) const { return plan_.starts[seq + 1] - plan_.starts[seq]; }

  // Neighbours with one query each that share their first page, such as beams, go through the pages together:
  // what they share is read once. Any other sequence is a band by itself.
  int end_of_band(int seq) const {
    const int32_t* table = plan_.tables + int64_t{seq} * plan_.max_pages;
    int end = seq + 1;
    if (queries_of(seq) != 1) return end;
    while (end < plan_.num_seqs.get() && queries_of(end) == 1 &&
           plan_.tables[int64_t{end} * plan_.max_pages] == table[0])
      ++end;
    return end;
  }

  // As many as its longest row has.
  int64_t chunks_of(const RowBlock& block) const {
    const int64_t start = plan_.starts[block.seq];
    int32_t longest = plan_.positions[start + (block.last - 1) / group()];
    if (block.one_each)
      for (int64_t i = block.first / group(); i < (block.last - 1) / group(); ++i)
        longest = std::max(longest, plan_.positions[start + i]);
    return longest / kChunk + 1;
  }

  // visit(index, block) for blocks first … last, in the order of sequences, heads and rows.
  template <typename Visit>
  void each_block(int64_t first, int64_t last, Visit&& visit) const {
    int64_t index = 0;
    for (int seq = 0, end; index < last; seq = end) {
      end = end_of_band(seq);
      const int64_t queries = plan_.starts[end] - plan_.starts[seq], rows = queries * group();
      const int64_t per_head = blocks_of(queries), count = per_head * args_.pages.kv_heads;
      for (int64_t i = std::max<int64_t>(first - index, 0); i < std::min(count, last - index); ++i) {
        const int64_t row = i % per_head * kAttendRows;
        visit(index + i, RowBlock{seq, static_cast<int>(i / per_head), static_cast<int>(row),
                                  static_cast<int>(std::min(row + kAttendRows, rows)), end - seq > 1});
      }
      index += count;
    }
  }

  void by_blocks(Runtime& runtime, int thread, int64_t first, int64_t last) const {
    const Kernels& kernels = runtime.kernels();
    float* scores = static_cast<float*>(runtime.scratch(thread));
    const Partial sums = {scores + kAttendRows * kChunk}, next = {sums.data + partial_floats_};
    each_block(first, last, [&](int64_t, const RowBlock& block) {
      const auto chunks = static_cast<int>(chunks_of(block));
      kernels.attend_chunk(args_, block, 0, sums, scores);
      for (int chunk = 1; chunk < chunks; ++chunk) {
        kernels.attend_chunk(args_, block, chunk, next, scores);
        kernels.attend_merge(args_, block, chunk, next, sums);
      }
      kernels.attend_finish(args_, block, sums);
    });
  }

  // A window of chunks of all blocks at a time: computed in any order, merged in order.
  void by_chunks(Runtime& runtime, int64_t blocks, int64_t chunks) const {
    const Kernels& kernels = runtime.kernels();
    ThreadPool& pool = runtime.pool();
    float* shared = static_cast<float*>(runtime.shared_scratch());
    const int64_t window = std::max<int64_t>(1, kSlotsPerThread * pool.size() / blocks);
    const auto sums = [&](int64_t index) { return Partial{shared + index * partial_floats_}; };
    const auto slot = [&](int64_t index, int64_t i) { return sums(blocks + index * window + i); };
    for (int64_t start = 0; start < chunks; start += window) {
      const int64_t width = std::min(window, chunks - start);
      pool.split(blocks * width, 1, [&](int thread, int64_t first, int64_t last) {
        for (int64_t item = first; item < last; ++item)
          each_block(item / width, item / width + 1, [&](int64_t index, const RowBlock& block) {
            const auto chunk = static_cast<int>(start + item % width);
            if (chunk < chunks_of(block))
              kernels.attend_chunk(args_, block, chunk, chunk == 0 ? sums(index) : slot(index, item % width),
                                   runtime.scratch(thread));
          });
      });
      each_block(0, blocks, [&](int64_t index, const RowBlock& block) {
        const int64_t end = std::min(start + width, chunks_of(block));
        for (int64_t chunk = std::max<int64_t>(start, 1); chunk < end; ++chunk)
          kernels.attend_merge(args_, block, static_cast<int>(chunk), slot(index, chunk - start),
                               sums(index));
      });
    }
    each_block(0, blocks, [&](int64_t index, const RowBlock& block) {
      kernels.attend_finish(args_, block, sums(index));
    });
  }

  std::shared_ptr<KvPages> kv_;
  PlanView plan_;
  AttendArgs args_;
  int64_t partial_floats_;
};

}  // namespace

Operation attend(Runtime& runtime, const float* q, std::shared_ptr<KvPages> kv, int layer,
                 const PlanView& plan, float* out) {
  Attend operation(q, std::move(kv), layer, plan, out);
  runtime.reserve(operation.thread_bytes(), operation.shared_bytes(runtime.threads()));
  return operation;
}

}  // namespace genlib
