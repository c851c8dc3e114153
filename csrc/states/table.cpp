#include "states/table.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace genlib {

StateTable::StateTable(int32_t num_pages, uint32_t hash_mask) : pool_(num_pages, hash_mask) {}

void StateTable::refuse(Handle handle) {
  throw ArgumentError(
      concat("`handle` ", handle, " names no entry: it was freed, or never made by this table"));
}

StateTable::Handle StateTable::create(uint64_t space) {
  if (free_slots_.empty()) {
    const auto slot = static_cast<int32_t>(entries_.size());
    GENLIB_CHECK(slot < kSlotMask, "a table holds at most ", kSlotMask, " entries at once: free some first");
    entries_.emplace_back().next_handle = slot + (Handle{1} << kSlotBits);
    free_slots_.push_back(slot);
  }
  Entry& entry = entries_[free_slots_.back()];
  free_slots_.pop_back();
  entry.handle = entry.next_handle;
  entry.next_handle += Handle{1} << kSlotBits;
  entry.length = entry.computed = entry.registered = entry.reserved = 0;
  entry.promised = entry.promised_from = 0;
  entry.space = space;
  ++num_entries_;
  return entry.handle;
}

StateTable::Handle StateTable::fork(Handle handle) {
  Entry& parent = at(handle);
  const bool last_becomes_shared =
      parent.length % kPageSize != 0 && pool_.is_writable(parent.pages.back()) && parent.tokens_due() > 0;
  if (last_becomes_shared) {
    set_reserved(parent, std::max<int64_t>(parent.reserved, pages_due(parent, parent.tokens_due()) + 1));
  }
  const Handle made = create(parent.space);  // may move the entries
  Entry& child = at(made);
  const Entry& source = at(handle);
  child.pages.assign(source.pages.begin(), source.pages.end());
  child.length = source.length;
  child.computed = source.computed;
  child.registered = source.registered;
  pool_.share_live(child.pages);
  return made;
}

void StateTable::free(Handle handle) {
  Entry& entry = at(handle);
  pool_.release_chain(entry.pages);
  entry.pages.clear();
  reserved_ -= entry.reserved;
  entry.reserved = 0;
  entry.handle = kDead;
  free_slots_.push_back(static_cast<int32_t>(handle & kSlotMask));
  --num_entries_;
}

int64_t StateTable::match(Handle handle, std::span<const int32_t> tokens) {
  Entry& entry = at(handle);
  GENLIB_CHECK(entry.length == 0, "match needs an empty entry, this one holds ", entry.length, " tokens");
  const int64_t most = (static_cast<int64_t>(tokens.size()) - 1) / kPageSize;
  uint64_t parent = PrefixIndex::kRoot;
  for (int64_t i = 0; i < most; ++i) {
    const int32_t page = pool_.index().find(parent, entry.space, tokens.data() + i * kPageSize);
    if (page == kNoPage) break;
    if (!pool_.is_live(page)) {
      if (entry.reserved == 0 && unreserved() == 0) break;
      if (entry.reserved > 0) set_reserved(entry, entry.reserved - 1);
    }
    pool_.share(page);
    entry.pages.push_back(page);
    parent = pool_.index().serial(page);
  }
  entry.registered = static_cast<int32_t>(entry.pages.size());
  entry.length = entry.computed = entry.registered * kPageSize;
  set_reserved(entry, pages_due(entry, entry.tokens_due()));  // live pages that were matched cost nothing
  return entry.length;
}

int64_t StateTable::pages_due(const Entry& entry, int64_t num_tokens) const {
  if (num_tokens == 0) return 0;
  const bool copies_last = entry.length % kPageSize != 0 && !pool_.is_writable(entry.pages.back());
  return pages_for(entry.length + num_tokens) - static_cast<int64_t>(entry.pages.size()) + copies_last;
}

void StateTable::set_reserved(Entry& entry, int64_t pages) {
  const int64_t more = pages - entry.reserved;
  if (more > unreserved()) {
    throw OutOfPages(concat(more, " more pages must be promised, ", unreserved(), " of ", pool_.num_pages(),
                            " are free or released and not promised: free entries, or unreserve first"));
  }
  reserved_ += more;
  entry.reserved = static_cast<int32_t>(pages);
}

void StateTable::make_room(Entry& entry, int64_t num_tokens) {
  const int64_t due = pages_due(entry, num_tokens);
  const int64_t promised = std::min<int64_t>(due, entry.reserved);
  if (due - promised > unreserved()) {
    throw OutOfPages(concat(num_tokens, " more tokens need ", due, " pages, ", promised,
                            " are promised to this entry, ", unreserved(), " of ", pool_.num_pages(),
                            " are free or released and not promised: free entries first"));
  }
  set_reserved(entry, entry.reserved - promised);
  if (entry.length % kPageSize != 0 && !pool_.is_writable(entry.pages.back())) {
    const int32_t source = entry.pages.back();
    const int32_t page = pool_.take();
    std::memcpy(pool_.tokens(page), pool_.tokens(source), kPageSize * sizeof(int32_t));
    copies_.emplace_back(source, page);
    entry.pages.back() = page;
    entry.registered = std::min(entry.registered, static_cast<int32_t>(entry.pages.size()) - 1);
    pool_.release(source);
  }
  const auto pages = static_cast<size_t>(pages_for(entry.length + num_tokens));
  while (entry.pages.size() < pages) entry.pages.push_back(pool_.take());
}

void StateTable::append(Handle handle, std::span<const int32_t> tokens) {
  Entry& entry = at(handle);
  if (tokens.empty()) return;
  make_room(entry, static_cast<int64_t>(tokens.size()));
  while (!tokens.empty()) {
    const int32_t slot = entry.length % kPageSize;
    const size_t count = std::min<size_t>(tokens.size(), kPageSize - slot);
    int32_t* page = pool_.tokens(entry.pages[entry.length / kPageSize]);
    std::copy_n(tokens.data(), count, page + slot);
    entry.length += static_cast<int32_t>(count);
    tokens = tokens.subspan(count);
  }
}

void StateTable::truncate(Handle handle, int64_t n) {
  Entry& entry = at(handle);
  GENLIB_CHECK(n >= 0 && n <= entry.length, "`n` must be in [0, ", entry.length, "], got ", n);
  const auto kept = static_cast<size_t>(pages_for(n));
  const std::span<const int32_t> beyond = std::span<const int32_t>(entry.pages).subspan(kept);
  const int64_t from = std::min(entry.promised_from, n);
  const int64_t tokens_due = std::max<int64_t>(0, from + entry.promised - n);
  int64_t pages_due = 0;
  if (tokens_due > 0) {
    const bool copies_last = n % kPageSize != 0 && !pool_.is_writable(entry.pages[kept - 1]);
    pages_due = pages_for(n + tokens_due) - static_cast<int64_t>(kept) + copies_last;
    int64_t coming = 0;
    for (const int32_t page : beyond) coming += pool_.references(page) == 1;
    const int64_t had = entry.reserved + unreserved() + coming;
    if (pages_due > had) {
      throw OutOfPages(concat("after truncating to ", n, " tokens the promise to this entry needs ",
                              pages_due, " pages, ", had, " are there: unreserve first"));
    }
  }
  pool_.release_chain(beyond);
  entry.pages.resize(kept);
  entry.length = static_cast<int32_t>(n);
  entry.computed = std::min(entry.computed, entry.length);
  entry.registered = std::min(entry.registered, static_cast<int32_t>(kept));
  entry.promised_from = from;
  set_reserved(entry, pages_due);
}

void StateTable::commit(Handle handle, int64_t computed) {
  Entry& entry = at(handle);
  GENLIB_CHECK(computed >= entry.computed && computed <= entry.length, "`computed` must be in [",
               entry.computed, ", ", entry.length, "], got ", computed);
  entry.computed = static_cast<int32_t>(computed);
  register_pages(entry);
}

void StateTable::register_pages(Entry& entry) {
  while ((entry.registered + 1) * kPageSize <= entry.computed) {
    int32_t& page = entry.pages[entry.registered];
    const uint64_t parent =
        entry.registered == 0 ? PrefixIndex::kRoot : pool_.index().serial(entry.pages[entry.registered - 1]);
    const int32_t equal = pool_.index().find(parent, entry.space, pool_.tokens(page));
    // A page that others hold too stays as it is: they may not have its parents. A later commit finds it
    // again.
    if (equal == kNoPage) {
      if (!pool_.is_writable(page)) return;
      pool_.enlist(page, parent, entry.space);
    } else {
      // Neutral if our page becomes free or the equal one is live; else it takes a page that may be promised.
      if (!pool_.is_live(equal) && !pool_.is_writable(page) && unreserved() == 0) return;
      pool_.share(equal);
      pool_.release(page);
      page = equal;
    }
    ++entry.registered;
  }
}

bool StateTable::reserve(Handle handle, int64_t num_tokens) {
  Entry& entry = at(handle);
  GENLIB_CHECK(num_tokens >= 0 && num_tokens <= INT32_MAX, "`num_tokens` must be in [0, ", INT32_MAX,
               "], got ", num_tokens);
  const int64_t due = pages_due(entry, num_tokens);
  if (due - entry.reserved > unreserved()) return false;
  set_reserved(entry, due);
  entry.promised = num_tokens;
  entry.promised_from = entry.length;
  return true;
}

void StateTable::unreserve(Handle handle) {
  Entry& entry = at(handle);
  set_reserved(entry, 0);
  entry.promised = 0;
}

}  // namespace genlib
