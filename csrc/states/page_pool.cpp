#include "states/page_pool.h"

#include <unordered_map>

#include "base/check.h"

namespace genlib {
namespace {

// Positions of one entry are int32, so the pool must not hold more of them.
constexpr int32_t kMostPages = INT32_MAX / kPageSize;

size_t checked_size(int32_t num_pages) {
  GENLIB_CHECK(num_pages >= 1 && num_pages <= kMostPages, "`num_pages` must be in [1, ", kMostPages,
               "], got ", num_pages);
  return static_cast<size_t>(num_pages);
}

// By value: a check in place would keep the page's address, and so the page, out of registers in the loop.
[[noreturn]] void refuse_release(int32_t page) {
  throw IntegrityError(concat("page ", page, " was released without a reference to it"));
}

}  // namespace

PagePool::PagePool(int32_t num_pages, uint32_t hash_mask)
    : holds_(checked_size(num_pages), 0),
      tokens_(holds_.size() * kPageSize, 0),
      free_(holds_.size()),
      lru_(holds_.size() + 1),
      num_unused_(num_pages),
      index_(num_pages, tokens_.data(), hash_mask) {
  for (int32_t page = 0; page < num_pages; ++page) free_[page] = num_pages - 1 - page;
  lru_[num_pages] = {num_pages, num_pages};
}

void PagePool::retire(int32_t page, int32_t left) {
  if (left == kRegistered) {
    const int32_t ring = num_pages();
    const int32_t newest = lru_[ring].previous;
    lru_[page] = {newest, ring};
    lru_[newest].next = page;
    lru_[ring].previous = page;
    ++released_;
  } else {
    if (left != 0) refuse_release(page);
    free_[num_unused_++] = page;
  }
}

// As retire() for each, with all that it needs in registers: freeing a long entry is the longest loop here.
void PagePool::release_chain(std::span<const int32_t> pages) {
  const int32_t ring = num_pages();
  int32_t* const holds = holds_.data();
  int32_t* const unused = free_.data();
  Link* const lru = lru_.data();
  int32_t newest = lru[ring].previous;
  int32_t num_unused = num_unused_;
  int32_t released = released_;
  for (size_t i = pages.size(); i-- > 0;) {
    const int32_t page = pages[i];
    const int32_t left = holds[page] -= kReference;
    if (left >= kReference) continue;
    if (left == kRegistered) {
      lru[page].previous = newest;
      lru[newest].next = page;
      newest = page;
      ++released;
    } else {
      if (left != 0) refuse_release(page);
      unused[num_unused++] = page;
    }
  }
  lru[newest].next = ring;
  lru[ring].previous = newest;
  num_unused_ = num_unused;
  released_ = released;
}

void PagePool::restore(int32_t page) {
  GENLIB_INTEGRITY(holds_[page] == kRegistered, "page ", page, " is free: it cannot be shared");
  const Link link = lru_[page];
  lru_[link.previous].next = link.next;
  lru_[link.next].previous = link.previous;
  --released_;
}

int32_t PagePool::evict() {
  const int32_t page = lru_[num_pages()].next;
  if (page == num_pages())
    throw OutOfPages(concat("none of the ", num_pages(), " pages is free or released"));
  restore(page);
  index_.erase(page);
  return page;
}

void PagePool::enlist(int32_t page, uint64_t parent, uint64_t space) {
  GENLIB_INTEGRITY(is_writable(page), "page ", page, " is shared or registered: it cannot be registered");
  index_.insert(page, parent, space);
  holds_[page] |= kRegistered;
}

std::vector<int32_t> PagePool::check_lru() const {
  std::vector<int32_t> rank(holds_.size(), kNoPage);
  int32_t count = 0;
  int32_t previous = num_pages();
  for (int32_t page = lru_[num_pages()].next; page != num_pages(); page = lru_[page].next) {
    GENLIB_INTEGRITY(rank[page] == kNoPage, "LRU: page ", page, " is listed twice");
    GENLIB_INTEGRITY(lru_[page].previous == previous, "LRU: broken link at page ", page);
    GENLIB_INTEGRITY(holds_[page] == kRegistered, "LRU: page ", page, " is not a released page");
    rank[page] = count++;
    previous = page;
  }
  GENLIB_INTEGRITY(lru_[num_pages()].previous == previous, "LRU: broken link at its end");
  GENLIB_INTEGRITY(count == released_, "LRU: ", count, " listed, ", released_, " counted");
  return rank;
}

void PagePool::check_integrity(std::span<const int32_t> references) const {
  index_.check_integrity();
  const std::vector<int32_t> rank = check_lru();
  std::vector<bool> is_free(holds_.size(), false);
  for (const int32_t page : std::span(free_).first(static_cast<size_t>(num_unused_))) {
    GENLIB_INTEGRITY(!is_free[page], "page ", page, " is free twice");
    GENLIB_INTEGRITY(holds_[page] == 0, "page ", page, " is free, but held or registered");
    is_free[page] = true;
  }
  std::unordered_map<uint64_t, int32_t> page_of;
  int32_t live = 0;
  for (int32_t page = 0; page < num_pages(); ++page) {
    GENLIB_INTEGRITY(this->references(page) == references[page], "page ", page, " counts ",
                     this->references(page), " references, but has ", references[page]);
    GENLIB_INTEGRITY(((holds_[page] & kRegistered) != 0) == index_.contains(page), "page ", page,
                     ": pool and index disagree on whether it is registered");
    live += is_live(page);
    if (index_.contains(page)) page_of[index_.serial(page)] = page;
  }
  GENLIB_INTEGRITY(num_free() + live == num_pages(), num_free(), " pages free or released and ", live,
                   " live, of ", num_pages());
  // An entry that holds a page holds its parents, and releases them after it: parents outlive their children.
  for (const auto& [serial, page] : page_of) {
    if (index_.parent(page) == PrefixIndex::kRoot) continue;
    const auto found = page_of.find(index_.parent(page));
    GENLIB_INTEGRITY(found != page_of.end(), "page ", page, " has outlived its parent");
    const int32_t parent = found->second;
    GENLIB_INTEGRITY(index_.space(parent) == index_.space(page), "page ", page, " left its namespace");
    GENLIB_INTEGRITY(is_live(parent) || (!is_live(page) && rank[page] < rank[parent]), "page ", page,
                     " would outlive its parent, page ", parent);
  }
}

}  // namespace genlib
