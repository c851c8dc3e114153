// What operations run on: a vector width's kernels, a team of threads, and each thread's scratch.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "check.h"
#include "cpu/kernels.h"
#include "cpu/memory.h"
#include "parallel.h"

namespace genlib {

// Shared by the programs recorded on it. Whoever runs something holds `lock()`, so that two Python threads
// take turns. Scratch grows while a program is recorded, never while one runs.
class Runtime {
 public:
  Runtime(int threads, Width width) : width_(width) {
    GENLIB_CHECK(threads >= 1 && threads <= 1024, "`threads` must be from 1 to 1024, got ", threads);
    GENLIB_CHECK(is_supported(width), "`width` is one that this machine cannot run");
    pool_ = std::make_unique<ThreadPool>(threads);
    scratch_.resize(static_cast<size_t>(threads));
    threads_ = threads;
#if defined(_SC_LEVEL3_CACHE_SIZE)
    const int64_t cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (cache > 0) cache_bytes_ = static_cast<size_t>(cache) / 4 * 3;
#endif
  }

  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

  // Joins the threads. Programs that are run afterwards get an error.
  void close() {
    const auto guard = lock();
    pool_.reset();
  }

  void reserve(size_t bytes_per_thread, size_t shared_bytes = 0) {
    for (Memory& scratch : scratch_)
      if (scratch.bytes() < bytes_per_thread) scratch = Memory(bytes_per_thread);
    if (shared_.bytes() < shared_bytes) shared_ = Memory(shared_bytes);
  }

  // Bytes that the program that runs reads, and those that stay in the machine's last cache. For speed only.
  void set_working_set(size_t bytes) { working_set_ = bytes; }
  size_t working_set() const { return working_set_; }
  size_t cache_bytes() const { return cache_bytes_; }

  ThreadPool& pool() {
    GENLIB_CHECK(pool_ != nullptr, "these operations were closed: make new ones");
    return *pool_;
  }
  const Kernels& kernels() const { return genlib::kernels(width_); }
  Width width() const { return width_; }
  int threads() const { return threads_; }
  void* scratch(int thread) const { return scratch_[static_cast<size_t>(thread)].as<void>(); }
  // Of one operation at a time, whichever thread works on it.
  void* shared_scratch() const { return shared_.as<void>(); }

 private:
  Width width_;
  int threads_ = 0;
  std::mutex mutex_;
  std::unique_ptr<ThreadPool> pool_;
  std::vector<Memory> scratch_;
  Memory shared_;
  size_t working_set_ = 0;
  size_t cache_bytes_ = size_t{8} << 20;
};

}  // namespace genlib
