// Entries: lists of pages with a length. The engine's idle states and its running sequences are all entries.
//
// An entry caches tokens that its owner holds elsewhere; it may be freed at any time. Positions < computed
// have valid keys and values in the entry's pages, positions in [computed, length) wait for a step. The table
// knows nothing of devices: it says which pages a step reads and writes, and the engine reads and writes
// them. The engine's turn is:
//   append, fork, truncate, ... -> fill -> take_copies, executed in order -> the step writes -> commit
//
// Copies. An append to a page that is shared or registered takes another page, and queues (source,
// destination). Executing the queue in its order, before the next step writes, is right, because it would be
// right to execute each copy at the moment it is queued (the source is held then, and the destination is new
// to its entry), and nothing but copies touches the contents of pages between that moment and the step. So it
// does not matter that a source may be released and taken again in between: its next contents come later in
// the queue or in the step. If a destination's entry is freed before the copy is executed, the copy fills a
// page that is free, or that was taken again and has no computed position yet: contents become valid only by
// a step or by a later copy.
//
// Promises. reserve() sets pages aside, so that a call that has begun never runs out. The table keeps
// reserved >= the pages that the entry's promised tokens can still need, whatever is forked, truncated or
// shared.
//
// A fork also shares positions that are not computed. Before they can be fed, truncate to computed and append
// them again: this gives the fork pages of its own. One engine thread uses a table; there are no locks.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/grid.h"
#include "base/pages.h"
#include "states/page_pool.h"

namespace genlib {

// Where fill() writes a batch. Buffers may be larger than the batch: what lies beyond it is left as it is.
struct BatchBuffers {
  std::span<int32_t> ids;        // [N] tokens to feed
  std::span<int32_t> positions;  // [N] their positions; a token is written to page table[position / W]
  std::span<int32_t> rows;       // [N] the sequence of each token; may be empty
  std::span<int32_t> starts;     // [S + 1] sequence s has tokens starts[s] .. starts[s + 1] - 1
  std::span<int32_t> lengths;    // [S] positions with keys and values once the step has written
  Grid<int32_t> tables;          // [S, M] page ids of each sequence
};

class StateTable {
 public:
  // Slot in the low 24 bits, generation above: a handle does not recur within 2^39 reuses of its slot.
  using Handle = int64_t;

  // Throws ArgumentError unless 1 <= num_pages < 2^27. hash_mask: see PrefixIndex.
  explicit StateTable(int32_t num_pages, uint32_t hash_mask = UINT32_MAX);

  // Every call that takes a handle throws ArgumentError if its entry was freed or never made.
  Handle create(uint64_t space);

  // The same tokens, computed and namespace, all pages shared, no promise. Throws OutOfPages if the last page
  // becomes shared, so that a promise made to `handle` needs one page more, and there is none.
  Handle fork(Handle handle);
  void free(Handle handle);

  // Gives an empty entry the longest run of registered pages that begins `tokens`, but at most
  // (tokens.size() - 1) / W pages, so that a token is left to feed. Returns the tokens matched. Pages that
  // are promised to others are not matched.
  int64_t match(Handle handle, std::span<const int32_t> tokens);

  // Appends tokens to the entry's own. Throws OutOfPages, and changes nothing, if there are too few pages.
  void append(Handle handle, std::span<const int32_t> tokens);
  void append_one(Handle handle, int32_t token) {
    Entry& entry = at(handle);
    const int32_t slot = entry.length % kPageSize;
    if (slot == 0 || !pool_.is_writable(entry.pages.back())) make_room(entry, 1);
    pool_.tokens(entry.pages.back())[slot] = token;
    ++entry.length;
  }

  // One token to each of S different entries; all or none. Throws OutOfPages.
  void append_one(std::span<const Handle> handles, std::span<const int32_t> tokens);

  // Entry i of `handles` becomes a child of entry parents[i]: its first child takes the entry over, others
  // fork it, and entries without a child are freed. None may have pages set aside. Nothing is copied.
  void branch(std::span<Handle> handles, std::span<const int32_t> parents);

  // Keeps n tokens and releases the pages beyond. A promise stays, and counts from n if it was made at a
  // greater length. Throws OutOfPages, and changes nothing, if the promise would need more pages than there
  // are.
  void truncate(Handle handle, int64_t n);

  // Positions < computed are valid now. Registers the pages that this completes, as long as this entry alone
  // holds them; a page whose equal is registered is exchanged for it (equal prefixes have equal bits).
  void commit(Handle handle, int64_t computed);
  void commit_many(std::span<const Handle> handles, std::span<const int32_t> computed);

  // Promises the pages that num_tokens more can need, instead of what was promised before. False, and nothing
  // changes, if there are too few. While the promise lasts, appends up to length + num_tokens cannot fail.
  bool reserve(Handle handle, int64_t num_tokens);
  void unreserve(Handle handle);

  // Copies queued and not yet taken, as (source, destination), in order. Throws ArgumentError if `out` [n, 2]
  // is too small; else empties the queue and returns its length.
  int64_t take_copies(Grid<int32_t> out);
  int64_t num_copies() const { return static_cast<int64_t>(copies_.size()); }

  // The next counts[s] tokens of each entry, from computed on, as one batch. Returns N. Everything is checked
  // before anything is written: ArgumentError for buffers too small, counts beyond length, an entry given
  // twice; IntegrityError if the step would write to a page that is shared or registered.
  int64_t fill(std::span<const Handle> handles, std::span<const int32_t> counts, const BatchBuffers& out);
  void block_tables(std::span<const Handle> handles, Grid<int32_t> tables) const;

  int32_t length(Handle handle) const { return at(handle).length; }
  int32_t computed(Handle handle) const { return at(handle).computed; }
  int32_t reserved(Handle handle) const { return at(handle).reserved; }
  uint64_t space(Handle handle) const { return at(handle).space; }
  std::span<const int32_t> pages(Handle handle) const { return at(handle).pages; }
  void copy_tokens(Handle handle, int32_t* out) const;  // out[length]

  const PagePool& pool() const { return pool_; }
  int64_t num_reserved() const { return reserved_; }
  int32_t num_entries() const { return num_entries_; }

  // Throws IntegrityError unless every rule of this file and of the pool's holds. O(P + all entries' pages).
  void check_integrity() const;

 private:
  static constexpr int kSlotBits = 24;
  static constexpr Handle kSlotMask = (Handle{1} << kSlotBits) - 1;  // the last slot is never used
  static constexpr Handle kDead = -1;

  struct Entry {
    Handle handle = kDead;
    Handle next_handle = 0;
    std::vector<int32_t> pages;  // keeps its capacity when the slot is used again
    int32_t length = 0;
    int32_t computed = 0;
    int32_t registered =
        0;                 // exactly the first `registered` pages are registered, each its next one's parent
    int32_t reserved = 0;  // pages set aside for the promise below
    int64_t promised = 0;  // tokens, counted from promised_from
    int64_t promised_from = 0;  // the length when it was made, or the smallest since
    uint64_t space = 0;
    mutable uint64_t seen = 0;  // the last batch that named this entry

    int64_t tokens_due() const {
      return promised_from + promised > length ? promised_from + promised - length : 0;
    }
  };

  const Entry& at(Handle handle) const {
    const auto slot = static_cast<size_t>(handle & kSlotMask);
    if (slot >= entries_.size() || entries_[slot].handle != handle) refuse(handle);
    return entries_[slot];
  }
  Entry& at(Handle handle) { return const_cast<Entry&>(std::as_const(*this).at(handle)); }
  [[noreturn]] static void refuse(Handle handle);

  int64_t unreserved() const { return pool_.num_free() - reserved_; }
  int64_t pages_due(const Entry& entry, int64_t num_tokens) const;
  void set_reserved(Entry& entry, int64_t pages);
  void make_room(Entry& entry, int64_t num_tokens);
  void register_pages(Entry& entry);
  int64_t unpromised_due(std::span<const Handle> handles);  // pages for one more token each
  void check_distinct(std::span<const Handle> handles) const;
  int64_t check_batch(std::span<const Handle> handles, std::span<const int32_t> counts,
                      const BatchBuffers& out) const;
  void check_entry(const Entry& entry) const;

  PagePool pool_;
  std::vector<Entry> entries_;
  std::vector<int32_t> free_slots_;
  std::vector<std::pair<int32_t, int32_t>> copies_;
  std::vector<Handle> branched_;  // of branch(), kept for their capacity
  std::vector<bool> taken_;
  std::vector<int32_t> copied_;  // of append_one(), likewise
  int64_t reserved_ = 0;
  int32_t num_entries_ = 0;
  mutable uint64_t batch_ = 0;
};

}  // namespace genlib
