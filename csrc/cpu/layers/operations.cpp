#include "cpu/layers/operations.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace genlib {

namespace {

// A fork and join costs about a microsecond: pieces of work below this many elements stay on one thread.
constexpr int64_t kSmall = 8192;

int64_t rows_of(int64_t elements_per_row) {
  return std::max<int64_t>(1, kSmall / std::max<int64_t>(1, elements_per_row));
}

constexpr int64_t kRowBytes = 768 << 10;

// About what one thread takes with the weights in its cache: 100 GB/s of them, 100 multiply-adds a
// nanosecond.
double microseconds(const PackedWeight& weight, int64_t rows) {
  const auto elements = static_cast<double>(weight.panels() * kPanel * weight.in());
  return std::max(static_cast<double>(weight.bytes()), elements * static_cast<double>(rows)) * 1e-5;
}

// Microseconds. A fork and join costs one; below this a second thread gains nothing.
constexpr double kWorthwhile = 2.0;

}  // namespace

Operation embed(const int32_t* ids, std::shared_ptr<const PackedWeight> weight, float* out, Count rows) {
  return [=](Runtime& runtime) {
    const int64_t n = rows.get(), size = weight->in();
    for (int64_t i = 0; i < n; ++i)
      GENLIB_CHECK(ids[i] >= 0 && ids[i] < weight->out(), "`ids[", i, "]` must be from 0 to ",
                   weight->out() - 1, ", got ", ids[i]);
    // Each element of a row lies in a cache line of its own.
    runtime.pool().split(n, rows_of(size * 8), [&](int, int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) weight->copy_row(ids[i], out + i * size);
    });
  };
}

Operation gather_rows(const float* x, int64_t sources, int64_t size, const int32_t* index, float* out,
                      Count rows) {
  return [=](Runtime&) {
    const int64_t n = rows.get();
    for (int64_t i = 0; i < n; ++i)
      GENLIB_CHECK(index[i] >= 0 && index[i] < sources, "`index[", i, "]` must be from 0 to ", sources - 1,
                   ", got ", index[i]);
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(out + i * size, x + index[i] * size, static_cast<size_t>(size) * sizeof(float));
  };
}

Operation linear(const float* x, std::shared_ptr<const PackedWeight> weight, float* out, Count rows) {
  return [=](Runtime& runtime) {
    const int64_t n = rows.get(), panels = weight->panels(), in = weight->in();
    if (n == 0) return;
    const LinearArgs args = {
        x,  weight->data(), weight->bias(), out,
        in, weight->out(),  weight->type(), runtime.working_set() <= runtime.cache_bytes()};
    const Kernels& kernels = runtime.kernels();
    ThreadPool& pool = runtime.pool();
    // Rows are cut into parts that stay in the second-level cache while all panels pass; where there are few
    // panels, into enough parts to occupy each thread.
    const int64_t for_cache = (n * in * static_cast<int64_t>(sizeof(float)) + kRowBytes - 1) / kRowBytes;
    const int64_t for_threads = pool.size() == 1 ? 1 : (4 * pool.size() + panels - 1) / panels;
    const int64_t parts =
        std::clamp<int64_t>(std::max(for_cache, for_threads), 1, std::max<int64_t>(1, n / 48));
    const int64_t part = (n + parts - 1) / parts;
    const auto work = [&](int, int64_t first, int64_t last) {
      for (int64_t i = first; i < last;) {
        const int64_t row = i / panels * part, panel = i % panels, count = std::min(panels - panel, last - i);
        kernels.linear_panels(args, panel, panel + count, row, std::min(row + part, n));
        i += count;
      }
    };
    if (microseconds(*weight, n) < kWorthwhile) return work(0, 0, panels * parts);
    pool.split(panels * parts, n <= 3 && panels >= 8 * pool.size() ? 2 : 1, work);
  };
}

Operation rms_norm(const NormArgs& args, Count rows) {
  return [=](Runtime& runtime) {
    runtime.pool().split(rows.get(), rows_of(args.size), [&](int, int64_t first, int64_t last) {
      runtime.kernels().norm_rows(args, first, last);
    });
  };
}

Operation silu_mul(const SiluArgs& args, Count rows) {
  return [=](Runtime& runtime) {
    runtime.pool().split(rows.get(), rows_of(2 * args.size), [&](int, int64_t first, int64_t last) {
      runtime.kernels().silu_rows(args, first, last);
    });
  };
}

Operation rope_write(const RopeTensors& tensors, std::shared_ptr<KvPages> kv, int layer,
                     const PlanView& plan) {
  return [=](Runtime& runtime) {
    const int64_t n = plan.num_tokens.get(), seqs = plan.num_seqs.get();
    if (n == 0) return;
    GENLIB_CHECK(seqs > 0 && plan.starts[seqs] == n, "`plan.starts` must end with num_tokens = ", n);
    const KvShape& shape = kv->shape();
    for (int64_t seq = 0; seq < seqs; ++seq)
      for (int64_t i = plan.starts[seq]; i < plan.starts[seq + 1]; ++i) {
        const int64_t position = plan.positions[i],
                      most = std::min(tensors.num_positions, plan.max_pages * kPageSize);
        GENLIB_CHECK(position >= 0 && position < most, "`plan.positions[", i, "]` must be from 0 to ",
                     most - 1, ", got ", position);
        const int64_t page = plan.tables[seq * plan.max_pages + position / kPageSize];
        GENLIB_CHECK(page >= 0 && page < kv->num_pages(), "`plan.tables[", seq, ", ", position / kPageSize,
                     "]` must be from 0 to ", kv->num_pages() - 1, ", got ", page);
      }
    const RopeArgs args = {tensors.qkv,    tensors.q_norm,   tensors.k_norm,         tensors.cos, tensors.sin,
                           tensors.out,    kv->layer(layer), plan.positions,         plan.starts, plan.tables,
                           plan.max_pages, shape.heads,      static_cast<int>(seqs), tensors.eps};
    const int64_t row = int64_t{shape.heads + 2 * shape.kv_heads} * shape.head_size;
    runtime.pool().split(n, rows_of(row), [&](int, int64_t first, int64_t last) {
      runtime.kernels().rope_rows(args, first, last);
    });
  };
}

}  // namespace genlib
