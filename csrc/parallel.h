// A team of threads with a fork and join of about a microsecond, so that a step can split each of its
// operations.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace genlib {

// A number that one thread changes and another waits for: the waiter spins a while, then sleeps.
class Gate {
 public:
  void set(uint32_t value) {
    value_.store(value, std::memory_order_seq_cst);
    wake();
  }

  // Returns the new value.
  uint32_t decrement() {
    const uint32_t left = value_.fetch_sub(1, std::memory_order_seq_cst) - 1;
    if (left == 0) wake();
    return left;
  }

  // Waits until done(value); gives the value.
  template <typename Done>
  uint32_t wait(Done done, std::chrono::microseconds spin) {
    uint32_t value = value_.load(std::memory_order_acquire);
    if (done(value)) return value;
    // The spin is bounded in time, not in rounds: where more threads than cores run, it must end soon.
    const auto end = std::chrono::steady_clock::now() + spin;
    do {
      for (int i = 0; i < 64; ++i) {
        pause();
        value = value_.load(std::memory_order_acquire);
        if (done(value)) return value;
      }
    } while (std::chrono::steady_clock::now() < end);
    std::unique_lock lock(mutex_);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    changed_.wait(lock, [&] { return done(value = value_.load(std::memory_order_seq_cst)); });
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    return value;
  }

 private:
  // Sequential consistency: either this load sees the sleeper, or the sleeper's check sees the new value.
  void wake() {
    if (sleepers_.load(std::memory_order_seq_cst) == 0) return;
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  alignas(64) std::atomic<uint32_t> value_{0};
  std::atomic<uint32_t> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

// Owns `threads` − 1 workers; the thread that calls `run` is the team's number 0. One `run` at a time: the
// owner sees to that. Work must not throw, and what a piece of it computes must not depend on which thread
// takes it.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) {
    workers_.reserve(static_cast<size_t>(threads - 1));
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ~ThreadPool() { stop(); }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // body(thread) on every thread of the team; returns when all are done.
  template <typename Body>
  void run(Body&& body) {
    if (workers_.empty()) {
      body(0);
      return;
    }
    using Plain = std::remove_reference_t<Body>;
    call_ = [](void* self, int thread) { (*static_cast<Plain*>(self))(thread); };
    argument_ = const_cast<void*>(static_cast<const void*>(&body));
    pending_.set(static_cast<uint32_t>(workers_.size()));
    if (++generation_ == kStop) generation_ = 1;
    start_.set(generation_);
    body(0);
    pending_.wait([](uint32_t left) { return left == 0; }, kJoinSpin);
  }

  // body(thread, first, last) over 0 … total: each thread takes the next piece, large ones first, so that a
  // thread that the machine slowed down does not hold up the rest. Pieces are at least `grain` long.
  template <typename Body>
  void split(int64_t total, int64_t grain, Body&& body) {
    if (total <= grain || size() == 1) {
      if (total > 0) body(0, int64_t{0}, total);
      return;
    }
    std::atomic<int64_t> next{0};
    run([&](int thread) {
      int64_t first = next.load(std::memory_order_relaxed);
      while (first < total) {
        const int64_t fair = (total - first) / (2 * size());
        const int64_t last = std::min(total, first + std::max(grain, fair / grain * grain));
        if (!next.compare_exchange_weak(first, last, std::memory_order_relaxed)) continue;
        body(thread, first, last);
        first = next.load(std::memory_order_relaxed);
      }
    });
  }

 private:
  static constexpr std::chrono::microseconds kIdleSpin{150};
  static constexpr std::chrono::microseconds kJoinSpin{100};
  static constexpr uint32_t kStop = UINT32_MAX;

  void work(int thread) {
    for (uint32_t seen = 0;;) {
      seen = start_.wait([seen](uint32_t generation) { return generation != seen; }, kIdleSpin);
      if (seen == kStop) return;
      call_(argument_, thread);
      pending_.decrement();
    }
  }

  void stop() {
    start_.set(kStop);
    for (std::thread& worker : workers_) worker.join();
  }

  Gate start_;
  Gate pending_;
  void (*call_)(void*, int) = nullptr;
  void* argument_ = nullptr;
  uint32_t generation_ = 0;
  std::vector<std::thread> workers_;
};

}  // namespace genlib
