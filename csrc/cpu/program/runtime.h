// What operations run on: a vector width's kernels, a team of threads, and each thread's scratch.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "base/parallel.h"
#include "cpu/kernels.h"
#include "cpu/memory.h"

namespace genlib {

// Bytes of the last-level cache, as Linux reports them; 8 MiB where it does not. (sysconf is wrong on virtual
// machines.)
inline size_t last_cache_bytes() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index3/size");
  size_t kibibytes = 0;
  return file >> kibibytes ? kibibytes << 10 : size_t{8} << 20;
}

// Shared by the programs recorded on it. Anything that runs holds `lock()`, so that two Python threads take
// turns. Scratch grows while a program is recorded, never while one runs.
class Runtime {
 public:
  Runtime(int threads, Width width) : width_(width) {
    GENLIB_CHECK(threads >= 1 && threads <= 1024, "`threads` must be from 1 to 1024, got ", threads);
    GENLIB_CHECK(is_supported(width), "`width` must be one that this machine can run: see cpu_widths()");
    pool_.reset(new ThreadPool(threads));
    scratch_.resize(static_cast<size_t>(threads));
    threads_ = threads;
    cache_bytes_ = last_cache_bytes() / 4 * 3;
  }

  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

  // Joins the threads. Programs that are run afterwards get an error.
  void close() {
    const auto guard = lock();
    pool_.reset();
  }

  void reserve(size_t bytes_per_thread, size_t shared_bytes = 0) {
    const auto guard = lock();
    for (Memory& scratch : scratch_)
      if (scratch.bytes() < bytes_per_thread) scratch = Memory(bytes_per_thread);
    if (shared_.bytes() < shared_bytes) shared_ = Memory(shared_bytes);
  }

  // Bytes that the running program reads, and how many stay in the last-level cache. For speed only.
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
  // For one operation at a time, shared by its threads.
  void* shared_scratch() const { return shared_.as<void>(); }

 private:
  Width width_;
  int threads_ = 0;
  std::mutex mutex_;
  std::unique_ptr<ThreadPool, EndPool> pool_;
  std::vector<Memory> scratch_;
  Memory shared_;
  size_t working_set_ = 0;
  size_t cache_bytes_ = 0;
};

}  // namespace genlib
