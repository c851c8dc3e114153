// A team of threads with a fork and join of about a microsecond, so that a step can split each of its
// operations.
#pragma once

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/crowding.h"

namespace genlib {

// A word that some threads change and others wait for: a waiter spins for a while, then sleeps.
class Gate {
 public:
  uint64_t load() const { return word_.load(std::memory_order_acquire); }

  // Sequential consistency: either wake() sees the sleeper, or the sleeper's last look sees the new word.
  void store(uint64_t word) {
    word_.store(word, std::memory_order_seq_cst);
    wake();
  }
  bool exchange(uint64_t& expected, uint64_t word) {
    return word_.compare_exchange_strong(expected, word, std::memory_order_seq_cst);
  }
  // Both return the new word.
  uint64_t subtract(uint64_t amount) {
    const uint64_t word = word_.fetch_sub(amount, std::memory_order_seq_cst) - amount;
    wake();
    return word;
  }

  // Waits until done(word) holds; returns the word.
  template <typename Done>
  uint64_t wait(Done done, std::chrono::microseconds spin) {
    uint64_t word = load();
    if (done(word)) return word;
    // The spin is bounded in time, not in rounds: where more threads than cores run, it must end soon.
    const auto end = std::chrono::steady_clock::now() + spin;
    do {
      for (int i = 0; i < 64; ++i) {
        pause();
        word = load();
        if (done(word)) return word;
      }
    } while (std::chrono::steady_clock::now() < end);
    std::unique_lock lock(mutex_);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    changed_.wait(lock, [&] { return done(word = word_.load(std::memory_order_seq_cst)); });
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    return word;
  }

 private:
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

  alignas(64) std::atomic<uint64_t> word_{0};
  std::atomic<uint32_t> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

// Owns `threads` − 1 workers; the thread that calls `split` is the team's number 0. One `split` at a time:
// the owner sees to that. Work must not throw, and what a piece of it computes must not depend on which
// thread takes it.
//
// Nobody waits for a worker that the machine is not running (and see crowding.h): a job is open until its
// last piece is taken, then it is closed, and only workers that went in while it was open are waited for. On
// a machine with other work to do, the calling thread takes the pieces itself.
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

  // A forked child has the object, but not its threads: nothing of it may be waited for there, or destroyed.
  bool is_of_this_process() const { return process_ == getpid(); }

  // A piece of work on the calling thread, which splits what it does and waits for nothing else. usual: of
  // work of this kind.
  class Piece {
   public:
    Piece(ThreadPool& pool, Usual& usual) : pool_(pool), usual_(usual) {
      if (pool_.size() > 1) pool_.crowding_.begin();
    }
    ~Piece() {
      if (pool_.size() > 1) pool_.crowding_.end(usual_);
    }
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;

   private:
    ThreadPool& pool_;
    Usual& usual_;
  };

  // body(thread, first, last) over 0 … total: each thread takes the next piece, large ones first, so that a
  // thread that the machine slowed down does not hold up the rest. Pieces are at least `grain` long.
  template <typename Body>
  void split(int64_t total, int64_t grain, Body&& body) {
    if (total <= grain || size() == 1 || crowding_.alone()) {
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
  // The job's word: its number, whether it is open, and how many workers are inside.
  static constexpr uint64_t kNumber = uint64_t{1} << 32;
  static constexpr uint64_t kOpen = uint64_t{1} << 31;
  static constexpr uint64_t kInside = kOpen - 1;
  static constexpr uint64_t kStop = UINT64_MAX;

  // take(thread) on this thread and on those workers that come in time.
  template <typename Take>
  void run(Take&& take) {
    using Plain = std::remove_reference_t<Take>;
    call_ = [](void* self, int thread) { (*static_cast<Plain*>(self))(thread); };
    argument_ = const_cast<void*>(static_cast<const void*>(&take));
    number_ += kNumber;
    job_.store(number_ | kOpen);
    take(0);
    if ((job_.subtract(kOpen) & kInside) != 0) {
      job_.wait([](uint64_t word) { return (word & kInside) == 0; }, kJoinSpin);
    }
  }

  void work(int thread) {
    for (uint64_t seen = 0;;) {
      uint64_t word = job_.wait(
          [seen](uint64_t now) { return now == kStop || ((now & kOpen) != 0 && (now & ~kInside) != seen); },
          kIdleSpin);
      if (word == kStop) return;
      if (!job_.exchange(word, word + 1)) continue;
      seen = word & ~kInside;
      call_(argument_, thread);
      job_.subtract(1);
    }
  }

  template <clockid_t clock>
  static int64_t nanoseconds() {
    timespec time{};
    clock_gettime(clock, &time);
    return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
  }

  void stop() {
    job_.store(kStop);
    for (std::thread& worker : workers_) worker.join();
  }

  const pid_t process_ = getpid();
  Gate job_;
  Crowding crowding_{nanoseconds<CLOCK_MONOTONIC>, nanoseconds<CLOCK_THREAD_CPUTIME_ID>};
  void (*call_)(void*, int) = nullptr;
  void* argument_ = nullptr;
  uint64_t number_ = 0;
  std::vector<std::thread> workers_;
};

// Leaves a pool of another process alone, which costs its memory.
struct EndPool {
  void operator()(ThreadPool* pool) const {
    if (pool->is_of_this_process()) delete pool;
  }
};

}  // namespace genlib
