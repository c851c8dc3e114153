// StateTable as a step sees it: batches of many entries, queued copies, and the proof that all is in order.
#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "base/check.h"
#include "states/table.h"

namespace genlib {
namespace {

// Calls use(page index, first slot, slots) for each page that positions [begin, end) touch.
template <typename Use>
void for_each_page(int32_t begin, int32_t end, Use use) {
  while (begin < end) {
    const int32_t slot = begin % kPageSize;
    const int32_t count = std::min(end - begin, kPageSize - slot);
    use(begin / kPageSize, slot, count);
    begin += count;
  }
}

void copy_pages(std::span<const int32_t> pages, int32_t* row) {
  std::copy(pages.begin(), pages.end(), row);  // not memcpy: an empty entry has no address to copy from
}

}  // namespace

void StateTable::check_distinct(std::span<const Handle> handles) const {
  ++batch_;
  for (const Handle handle : handles) {
    const Entry& entry = at(handle);
    GENLIB_CHECK(entry.seen != batch_, "`handles` names entry ", handle,
                 " twice: once is allowed in a batch");
    entry.seen = batch_;
  }
}

int64_t StateTable::unpromised_due(std::span<const Handle> handles) {
  int64_t due = 0;
  copied_.clear();
  for (const Handle handle : handles) {
    const Entry& entry = at(handle);
    if (entry.reserved > 0 || pages_due(entry, 1) == 0) continue;
    ++due;
    if (entry.length % kPageSize != 0) copied_.push_back(entry.pages.back());
  }
  std::ranges::sort(copied_);
  for (size_t i = 0; i < copied_.size();) {
    const int32_t page = copied_[i];
    int32_t count = 0;
    while (i < copied_.size() && copied_[i] == page) ++i, ++count;
    // The last of those that share a page finds it its own, if nobody else holds it.
    if (count == pool_.references(page) && !pool_.index().contains(page)) --due;
  }
  return due;
}

void StateTable::append_one(std::span<const Handle> handles, std::span<const int32_t> tokens) {
  GENLIB_CHECK(tokens.size() == handles.size(), "`tokens` must have one token for each of the ",
               handles.size(), " handles, got ", tokens.size());
  check_distinct(handles);
  const int64_t due = unpromised_due(handles);
  if (due > unreserved()) {
    throw OutOfPages(concat("one token for each of ", handles.size(), " entries needs ", due,
                            " pages that are not promised to them, ", unreserved(), " of ", pool_.num_pages(),
                            " are free or released and not promised: free entries first"));
  }
  for (size_t s = 0; s < handles.size(); ++s) append_one(handles[s], tokens[s]);
}

void StateTable::branch(std::span<Handle> handles, std::span<const int32_t> parents) {
  GENLIB_CHECK(parents.size() == handles.size(), "`parents` must have one number for each of the ",
               handles.size(), " handles, got ", parents.size());
  check_distinct(handles);
  for (const Handle handle : handles)
    GENLIB_CHECK(at(handle).reserved == 0, "`handles` must have no promise: unreserve them first");
  const auto count = static_cast<int32_t>(handles.size());
  for (const int32_t parent : parents)
    GENLIB_CHECK(parent >= 0 && parent < count, "`parents` must be from 0 to ", count - 1, ", got ", parent);
  branched_.assign(handles.begin(), handles.end());
  taken_.assign(handles.size(), false);
  for (size_t i = 0; i < handles.size(); ++i) {
    const auto parent = static_cast<size_t>(parents[i]);
    handles[i] = taken_[parent] ? fork(branched_[parent]) : branched_[parent];
    taken_[parent] = true;
  }
  for (size_t i = 0; i < handles.size(); ++i)
    if (!taken_[i]) free(branched_[i]);
}

void StateTable::commit_many(std::span<const Handle> handles, std::span<const int32_t> computed) {
  GENLIB_CHECK(computed.size() == handles.size(), "`computed` must have one count for each of the ",
               handles.size(), " handles, got ", computed.size());
  check_distinct(handles);
  for (size_t s = 0; s < handles.size(); ++s) {
    const Entry& entry = at(handles[s]);
    GENLIB_CHECK(computed[s] >= entry.computed && computed[s] <= entry.length, "`computed[", s,
                 "]` must be in [", entry.computed, ", ", entry.length, "], got ", computed[s]);
  }
  for (size_t s = 0; s < handles.size(); ++s) commit(handles[s], computed[s]);
}

int64_t StateTable::check_batch(std::span<const Handle> handles, std::span<const int32_t> counts,
                                const BatchBuffers& out) const {
  const auto size = static_cast<int64_t>(handles.size());
  GENLIB_CHECK(counts.size() == handles.size(), "`counts` must have one count for each of the ", size,
               " handles, got ", counts.size());
  GENLIB_CHECK(std::ssize(out.starts) > size, "`starts` must hold ", size + 1, ", got ", out.starts.size());
  GENLIB_CHECK(std::ssize(out.lengths) >= size, "`lengths` must hold ", size, ", got ", out.lengths.size());
  GENLIB_CHECK(out.tables.rows >= size, "`tables` must have ", size, " rows, got ", out.tables.rows);
  check_distinct(handles);
  int64_t total = 0;
  for (int64_t s = 0; s < size; ++s) {
    const Entry& entry = at(handles[s]);
    GENLIB_CHECK(counts[s] >= 0 && counts[s] <= entry.length - entry.computed, "`counts[", s,
                 "]` must be in [0, ", entry.length - entry.computed, "], the tokens not computed, got ",
                 counts[s]);
    GENLIB_CHECK(std::ssize(entry.pages) <= out.tables.columns, "`tables` must have ", entry.pages.size(),
                 " columns for entry ", handles[s], ", got ", out.tables.columns);
    for_each_page(entry.computed, entry.computed + counts[s], [&](int32_t index, int32_t, int32_t) {
      GENLIB_INTEGRITY(pool_.is_writable(entry.pages[index]), "the step would write to page ",
                       entry.pages[index], " of entry ", handles[s],
                       ", which is shared or registered: truncate to `computed` and append again");
    });
    total += counts[s];
  }
  GENLIB_CHECK(std::ssize(out.ids) >= total, "`ids` must hold ", total, ", got ", out.ids.size());
  GENLIB_CHECK(std::ssize(out.positions) >= total, "`positions` must hold ", total, ", got ",
               out.positions.size());
  GENLIB_CHECK(out.rows.empty() || std::ssize(out.rows) >= total, "`rows` must hold ", total, ", got ",
               out.rows.size());
  return total;
}

int64_t StateTable::fill(std::span<const Handle> handles, std::span<const int32_t> counts,
                         const BatchBuffers& out) {
  const int64_t total = check_batch(handles, counts, out);
  int32_t start = 0;
  for (size_t s = 0; s < handles.size(); ++s) {
    const Entry& entry = at(handles[s]);
    const int32_t end = entry.computed + counts[s];
    int32_t* ids = out.ids.data() + start;
    for_each_page(entry.computed, end, [&](int32_t index, int32_t slot, int32_t count) {
      ids = std::copy_n(pool_.tokens(entry.pages[index]) + slot, count, ids);
    });
    std::iota(out.positions.data() + start, out.positions.data() + start + counts[s], entry.computed);
    if (!out.rows.empty()) std::fill_n(out.rows.data() + start, counts[s], static_cast<int32_t>(s));
    copy_pages(entry.pages, out.tables.row(static_cast<int64_t>(s)));
    out.starts[s] = start;
    out.lengths[s] = end;
    start += counts[s];
  }
  out.starts[handles.size()] = start;
  return total;
}

void StateTable::block_tables(std::span<const Handle> handles, Grid<int32_t> tables) const {
  GENLIB_CHECK(tables.rows >= std::ssize(handles), "`tables` must have ", handles.size(), " rows, got ",
               tables.rows);
  for (const Handle handle : handles) {
    const Entry& entry = at(handle);
    GENLIB_CHECK(std::ssize(entry.pages) <= tables.columns, "`tables` must have ", entry.pages.size(),
                 " columns for entry ", handle, ", got ", tables.columns);
  }
  for (size_t s = 0; s < handles.size(); ++s) {
    copy_pages(at(handles[s]).pages, tables.row(static_cast<int64_t>(s)));
  }
}

int64_t StateTable::take_copies(Grid<int32_t> out) {
  const int64_t count = num_copies();
  GENLIB_CHECK(out.columns == 2, "`out` must have 2 columns, source and destination, got ", out.columns);
  GENLIB_CHECK(out.rows >= count, "`out` must hold ", count, " copies, got ", out.rows, " rows");
  for (int64_t i = 0; i < count; ++i) {
    out.row(i)[0] = copies_[i].first;
    out.row(i)[1] = copies_[i].second;
  }
  copies_.clear();
  return count;
}

void StateTable::copy_tokens(Handle handle, int32_t* out) const {
  const Entry& entry = at(handle);
  for_each_page(0, entry.length, [&](int32_t index, int32_t slot, int32_t count) {
    out = std::copy_n(pool_.tokens(entry.pages[index]) + slot, count, out);
  });
}

void StateTable::check_entry(const Entry& entry) const {
  const auto count = static_cast<int32_t>(entry.pages.size());
  GENLIB_INTEGRITY(count == pages_for(entry.length), "entry ", entry.handle, " has ", count, " pages for ",
                   entry.length, " tokens");
  GENLIB_INTEGRITY(entry.computed >= 0 && entry.computed <= entry.length, "entry ", entry.handle, " has ",
                   entry.computed, " of ", entry.length, " positions computed");
  GENLIB_INTEGRITY(entry.registered >= 0 && entry.registered <= count, "entry ", entry.handle, " counts ",
                   entry.registered, " registered pages of ", count);
  GENLIB_INTEGRITY(entry.reserved >= 0 && entry.reserved >= pages_due(entry, entry.tokens_due()), "entry ",
                   entry.handle, " is promised ", entry.tokens_due(), " tokens, but only ", entry.reserved,
                   " pages");
  std::unordered_set<int32_t> seen;
  uint64_t parent = PrefixIndex::kRoot;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t page = entry.pages[i];
    GENLIB_INTEGRITY(seen.insert(page).second, "entry ", entry.handle, " holds page ", page, " twice");
    GENLIB_INTEGRITY(pool_.index().contains(page) == (i < entry.registered), "entry ", entry.handle,
                     " is wrong about whether its page ", i, " is registered");
    if (i >= entry.registered) continue;
    GENLIB_INTEGRITY(pool_.index().parent(page) == parent && pool_.index().space(page) == entry.space,
                     "entry ", entry.handle, ": page ", i, " is registered under another prefix");
    parent = pool_.index().serial(page);
  }
}

void StateTable::check_integrity() const {
  std::vector<int32_t> references(static_cast<size_t>(pool_.num_pages()), 0);
  int64_t reserved = 0;
  int32_t entries = 0;
  for (const Entry& entry : entries_) {
    if (entry.handle == kDead) {
      GENLIB_INTEGRITY(entry.pages.empty() && entry.reserved == 0, "a freed entry still holds pages");
      continue;
    }
    check_entry(entry);
    ++entries;
    reserved += entry.reserved;
    for (const int32_t page : entry.pages) ++references[page];
  }
  GENLIB_INTEGRITY(entries == num_entries_ && entries + free_slots_.size() == entries_.size(), entries,
                   " entries and ", free_slots_.size(), " free slots of ", entries_.size(), ", ",
                   num_entries_, " counted");
  GENLIB_INTEGRITY(reserved == reserved_ && reserved_ <= pool_.num_free(), reserved, " pages promised, ",
                   reserved_, " counted, ", pool_.num_free(), " free or released");
  for (const auto& [source, destination] : copies_) {
    GENLIB_INTEGRITY(source != destination, "a queued copy of page ", source, " onto itself");
  }
  pool_.check_integrity(references);
}

}  // namespace genlib
