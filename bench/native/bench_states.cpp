// What the page manager's operations cost in C++ loops, without Python: median ns over repetitions.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "states/table.h"

namespace {

using genlib::Grid;
using genlib::kPageSize;
using genlib::PagePool;
using genlib::StateTable;
using Handle = StateTable::Handle;

constexpr int kRepetitions = 201;
constexpr int32_t kTokens = 4096;
constexpr int32_t kPages = kTokens / kPageSize;

template <typename Body>
double time_ns(Body body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double>& values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

void report(const char* what, double value, double target, const char* unit) {
  std::printf("%-58s %9.2f %s%s\n", what, value, unit,
              target == 0       ? ""
              : value <= target ? "   (reached)"
                                : "   (MISSED)");
}

// Median over repetitions of body() / count, with prepare() untimed before each.
template <typename Prepare, typename Body>
double measure(int count, Prepare prepare, Body body) {
  std::vector<double> values;
  for (int i = 0; i < kRepetitions; ++i) {
    prepare();
    values.push_back(time_ns(body) / count);
  }
  return median(values);
}

Handle filled(StateTable& table, int32_t first_token, bool computed) {
  const Handle handle = table.create(0);
  for (int32_t i = 0; i < kTokens; ++i) table.append_one(handle, first_token + i);
  if (computed) table.commit(handle, kTokens);
  return handle;
}

void bench_append() {
  StateTable table(1 << 15);
  Handle handle = table.create(0);
  const auto renew = [&] {
    table.free(handle);
    handle = table.create(0);
  };
  report("append, one token a call, per token (<= 2)",
         measure(kTokens, renew,
                 [&] {
                   for (int32_t i = 0; i < kTokens; ++i) table.append_one(handle, i);
                 }),
         2, "ns");
  std::vector<int32_t> tokens(kTokens, 7);
  report("append, 4,096 tokens a call, per token",
         measure(kTokens, renew, [&] { table.append(handle, tokens); }), 0, "ns");
  constexpr int kRows = 256;
  std::vector<Handle> handles;
  for (int s = 0; s < kRows; ++s) handles.push_back(table.create(0));
  std::vector<int32_t> row(kRows, 3);
  report("append_one of 256 entries in one call, per token",
         measure(kRows, [] {}, [&] { table.append_one(handles, row); }), 0, "ns");
}

void bench_pages() {
  PagePool pool(1 << 15);
  constexpr int kRounds = 10000;
  report("page take + release (<= 10)",
         measure(
             kRounds, [] {},
             [&] {
               for (int i = 0; i < kRounds; ++i) pool.release(pool.take());
             }),
         10, "ns");
  std::vector<int32_t> pages(kRounds);
  report("page take, then release, of 10,000 at once (<= 10)",
         measure(
             kRounds, [] {},
             [&] {
               for (int32_t& page : pages) page = pool.take();
               for (const int32_t page : pages) pool.release(page);
             }),
         10, "ns");
}

// Forks and frees in groups, so that the clock's own cost does not count.
void bench_fork() {
  constexpr int kForks = 64;
  StateTable table(1 << 15);
  const Handle parent = filled(table, 0, true);
  std::vector<Handle> forks(kForks);
  const auto fork_all = [&] {
    for (Handle& fork : forks) fork = table.fork(parent);
  };
  const auto free_all = [&] {
    for (const Handle fork : forks) table.free(fork);
  };
  fork_all();
  report("fork of a 4,096-token entry (<= 250)", measure(kForks, free_all, fork_all), 250, "ns");
  std::vector<double> frees;
  for (int i = 0; i < kRepetitions; ++i) {
    frees.push_back(time_ns(free_all) / kForks);
    fork_all();
  }
  report("free of a fork of it (<= 250)", median(frees), 250, "ns");
}

void bench_free(bool computed, const char* what) {
  constexpr int kEntries = 16;
  StateTable table(1 << 15);
  std::vector<Handle> handles;
  report(what,
         measure(
             kEntries,
             [&] {
               handles.clear();
               for (int32_t s = 0; s < kEntries; ++s) handles.push_back(filled(table, s * kTokens, computed));
             },
             [&] {
               for (const Handle handle : handles) table.free(handle);
             }),
         250, "ns");
}

void bench_batches() {
  constexpr int kRows = 256;
  StateTable table(kRows * (kPages + 1));
  std::vector<Handle> handles;
  for (int32_t s = 0; s < kRows; ++s) handles.push_back(filled(table, s * kTokens, true));
  std::vector<int32_t> tables(kRows * (kPages + 1));
  const Grid<int32_t> grid{tables.data(), kRows, kPages + 1};
  report("block tables of 256 entries of 4,096 tokens (<= 20)",
         measure(1000, [] {}, [&] { table.block_tables(handles, grid); }), 20, "us");
  for (const Handle handle : handles) table.append_one(handle, 1);
  std::vector<int32_t> counts(kRows, 1), ids(kRows), positions(kRows), starts(kRows + 1), lengths(kRows);
  report("fill of a decode step of the same 256 entries",
         measure(
             1000, [] {},
             [&] {
               table.fill(handles, counts,
                          {.ids = ids,
                           .positions = positions,
                           .rows = {},
                           .starts = starts,
                           .lengths = lengths,
                           .tables = grid});
             }),
         0, "us");
}

void bench_prefixes() {
  StateTable table(1 << 15);
  std::vector<int32_t> tokens(kTokens + 1);
  for (int32_t i = 0; i <= kTokens; ++i) tokens[i] = i;
  filled(table, 0, true);
  Handle handle = table.create(0);
  report("match of 4,096 tokens, per page",
         measure(
             kPages,
             [&] {
               table.free(handle);
               handle = table.create(0);
             },
             [&] { table.match(handle, tokens); }),
         0, "ns");
  int32_t round = 0;
  std::vector<int32_t> fresh(kTokens);
  report("commit of 4,096 new tokens, per page",
         measure(
             kPages,
             [&] {
               table.free(handle);
               handle = table.create(0);
               for (int32_t& token : fresh) token = ++round;
               table.append(handle, fresh);
             },
             [&] { table.commit(handle, kTokens); }),
         0, "ns");
}

}  // namespace

int main() {
  bench_append();
  bench_pages();
  bench_fork();
  bench_free(true, "free of an entry of its own pages, registered (<= 250)");
  bench_free(false, "free of an entry of its own pages, not registered (<= 250)");
  bench_batches();
  bench_prefixes();
}
