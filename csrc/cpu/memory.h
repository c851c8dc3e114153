// Large memory: aligned to a page of 2 MiB where the system has such pages, touched only when it is used.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <utility>

namespace genlib {

// Owns zeroed memory, none of which is in RAM before it is written.
class Memory {
 public:
  Memory() = default;
  explicit Memory(size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    // Anonymous maps are only aligned to 4 KiB; the slack lets the data begin where a huge page can.
    const size_t slack = bytes >= kHuge ? kHuge : 0;
    mapped_bytes_ = bytes + slack;
    mapped_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped_ == MAP_FAILED) {
      mapped_ = nullptr;
      throw std::bad_alloc();
    }
    char* start = static_cast<char*>(mapped_);
    data_ = slack == 0 ? start : start + (kHuge - reinterpret_cast<size_t>(start) % kHuge) % kHuge;
#if defined(MADV_HUGEPAGE)
    // Advice only: where the system has no huge pages, small ones do.
    if (slack != 0) (void)madvise(data_, bytes, MADV_HUGEPAGE);
#endif
  }
  ~Memory() {
    if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
  }
  Memory(Memory&& other) noexcept { *this = std::move(other); }
  Memory& operator=(Memory&& other) noexcept {
    std::swap(mapped_, other.mapped_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(mapped_bytes_, other.mapped_bytes_);
    return *this;
  }

  size_t bytes() const { return bytes_; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  static constexpr size_t kHuge = size_t{2} << 20;

  void* mapped_ = nullptr;
  char* data_ = nullptr;
  size_t bytes_ = 0, mapped_bytes_ = 0;
};

}  // namespace genlib
