// What a step's operations read anew at each run: how many rows are live, and the index tensors.
#pragma once

#include <cstdint>

#include "base/check.h"

namespace genlib {

// How many leading rows are live: read at each run, never more than the buffers hold.
struct Count {
  const int32_t* at;  // null: always `most`
  int64_t most;

  int64_t get() const {
    if (at == nullptr) return most;
    GENLIB_CHECK(*at >= 0 && *at <= most, "a live count must be from 0 to ", most,
                 ", the rows of the buffers, got ", *at);
    return *at;
  }
};

// The index tensors of a step, as genlib.ops.buffers.Plan has them. Page ids and lengths are those that the
// state table wrote: within the tables, they are trusted.
struct PlanView {
  Count num_tokens, num_seqs;
  const int32_t *positions, *starts, *tables;
  int64_t max_pages;
};

}  // namespace genlib
