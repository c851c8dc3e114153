// Whether a team of threads should leave its work to one of them, because the machine has other work to do.
#pragma once

#include <algorithm>
#include <cstdint>

namespace genlib {

// All times are in nanoseconds.

// How long a kind of work takes the team: the mean of the last tenth of a second of it, or so.
class Usual {
 public:
  void add(int64_t took) {
    total_ += took;
    runs_ += 1;
    if (total_ > kKept && runs_ > 1) total_ /= 2, runs_ /= 2;
  }
  bool known() const { return runs_ > 0; }
  int64_t mean() const { return total_ / runs_; }

 private:
  static constexpr int64_t kKept = 100'000'000;
  int64_t total_ = 0, runs_ = 0;
};

// Told when the calling thread begins and ends a piece of work.
//
// Beside other programs a second thread can cost more than it does: the machine then has both threads share
// cores, where one alone may keep a core to itself, and the team waits for whichever is put aside. That
// cannot be known beforehand. So where the calling thread does not run for much of the team's time, it works
// alone for a while, longer each time that this turns out to be faster, and tries it less often where it is
// not.
class Crowding {
 public:
  using Clock = int64_t (*)();

  // wall: the time. ran: for how long the calling thread has run, which takes half a microsecond to ask.
  Crowding(Clock wall, Clock ran) : wall_(wall), ran_(ran) {}

  bool alone() const { return alone_; }

  void begin() {
    begun_ = wall_();
    watching_ = !alone_ && begun_ - watched_until_ >= kApart;
    if (watching_) ran_then_ = ran_();
  }

  void end(Usual& usual) {
    const int64_t now = wall_(), took = now - begun_;
    if (alone_) {
      worked_ += took;
      if (usual.known()) known_ += took, expected_ += usual.mean();
      judge_alone();
      return;
    }
    usual.add(took);
    until_next_ -= took;
    if (watching_) {
      watched_ += took;
      ran_in_it_ += ran_() - ran_then_;
      watched_until_ = now;
      if (watched_ >= kWindow) judge_team();
    }
  }

 private:
  void judge_team() {
    const bool crowded = static_cast<double>(ran_in_it_) < kEnough * static_cast<double>(watched_);
    watched_ = ran_in_it_ = 0;
    if (!crowded) alone_for_ = kTrial;
    if (crowded && until_next_ <= 0) alone_ = true, worked_ = known_ = expected_ = 0;
  }

  void judge_alone() {
    const bool slower = known_ > (known_ >= kTrial ? 1 : 2) * expected_ && known_ >= kGlance;
    if (!slower && worked_ < alone_for_) return;
    alone_ = false;
    alone_for_ = slower ? kTrial : std::min(2 * alone_for_, kLongest);
    pause_ = slower ? std::min(2 * pause_, 2 * kLongest) : kTrial;
    until_next_ = slower ? pause_ : 0;
  }

  static constexpr int64_t kApart = 400'000;      // between two pieces that are watched
  static constexpr int64_t kWindow = 30'000'000;  // watched, which the team is judged by
  // The shortest time alone: a machine needs some of it to find a better core for the thread that is left.
  static constexpr int64_t kTrial = 40'000'000;
  static constexpr int64_t kGlance = 3'000'000;  // what is enough to see that alone takes twice as long
  static constexpr int64_t kLongest = 2'000'000'000;
  static constexpr double kEnough = 0.85;  // of the time; the machine runs other things for a moment too

  const Clock wall_, ran_;
  bool alone_ = false;
  bool watching_ = false;
  int64_t begun_ = 0, ran_then_ = 0;  // the last piece
  int64_t watched_until_ = 0;
  int64_t watched_ = 0, ran_in_it_ = 0;  // of the team's time, since it was judged
  int64_t worked_ = 0;                   // alone
  int64_t known_ = 0, expected_ = 0;     // of it, what the team has done before, and how long that took it
  int64_t alone_for_ = kTrial, pause_ = kTrial;
  int64_t until_next_ = 0;  // of the team's time, until it may be alone again
};

}  // namespace genlib
