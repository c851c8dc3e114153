// A simulated machine for base/crowding.h. Reads phases from standard input, one a line: for how long, in
// seconds; how long a piece of work takes the team and one thread alone, in microseconds; for how much of that
// the calling thread runs, in either; the pause between two pieces; and which kind of work it is. Writes the
// share of each phase's work that was done alone.
#include "base/crowding.h"

#include <cstdio>
#include <iostream>
#include <map>

namespace {

double wall = 1e9, ran = 0;
int64_t wall_now() { return static_cast<int64_t>(wall); }
int64_t ran_now() { return static_cast<int64_t>(ran); }

}  // namespace

int main() {
  genlib::Crowding crowding(wall_now, ran_now);
  std::map<int, genlib::Usual> usual;
  double seconds, team, alone, team_runs, alone_runs, pause;
  int kind;
  while (std::cin >> seconds >> team >> alone >> team_runs >> alone_runs >> pause >> kind) {
    double work = 0, work_alone = 0;
    for (const double end = wall + seconds * 1e9; wall < end;) {
      crowding.begin();
      const bool is_alone = crowding.alone();
      const double took = (is_alone ? alone : team) * 1e3;
      wall += took;
      ran += took * (is_alone ? alone_runs : team_runs);
      crowding.end(usual[kind]);
      wall += pause * 1e3;
      work += 1;
      work_alone += is_alone;
    }
    std::printf("%.6f\n", work_alone / work);
  }
}
