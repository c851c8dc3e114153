// The sampler's arithmetic that runs once per row. Compiled without vector extensions, so that no width fuses
// any of it.
#include "cpu/sampling/sampling.h"

#include <bit>
#include <cfloat>
#include <limits>

namespace genlib {

namespace {

// Divides a block of memory into parts, each at a cache line.
class Parts {
 public:
  explicit Parts(void* at) : start_(reinterpret_cast<uintptr_t>(at)), at_(start_) {}

  template <typename T>
  void take(T*& part, size_t count) {
    part = reinterpret_cast<T*>(at_);
    at_ += (count * sizeof(T) + 63) / 64 * 64;
  }
  size_t bytes() const { return at_ - start_; }

 private:
  uintptr_t start_, at_;
};

Parts lay_out(void* at, int vocabulary, SampleScratch* scratch) {
  const auto values = static_cast<size_t>(vocabulary), tiles = (values + kSampleTile - 1) / kSampleTile;
  Parts parts(at);
  parts.take(scratch->block, (tiles + kBlockTiles - 1) / kBlockTiles);
  parts.take(scratch->tile_upper, tiles);
  parts.take(scratch->tile_kept, tiles);
  parts.take(scratch->model_peak, tiles);
  parts.take(scratch->tile_peak, tiles);
  parts.take(scratch->tile_start, tiles + 1);
  parts.take(scratch->tile_over, tiles);
  parts.take(scratch->tile_ties, tiles);
  // A vector more than V: chosen values are written as whole vectors.
  parts.take(scratch->listed, values + kLanes);
  parts.take(scratch->work, values + kLanes);
  parts.take(scratch->widened, values);
  parts.take(scratch->processed, values);
  return parts;
}

}  // namespace

SampleScratch sample_scratch(void* at, int vocabulary) {
  SampleScratch scratch;
  lay_out(at, vocabulary, &scratch);
  return scratch;
}

size_t sample_scratch_bytes(int vocabulary) {
  SampleScratch scratch;
  return lay_out(nullptr, vocabulary, &scratch).bytes();
}

namespace sampling {
namespace {

constexpr float kRound = 12582912.0f;  // 1.5 * 2^23
constexpr uint32_t kRoundBits = 0x4B400000;
constexpr double kPeakMass = 0x16A09E80000;

// ln q for normal q >= 1; see natural_log in the reference.
double natural_log(double q) {
  const uint64_t bits = std::bit_cast<uint64_t>(q);
  int e = static_cast<int>(bits >> 52) - 1022;
  double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFF) | 0x3FE0000000000000);
  if (m < 0.7071067811865476) {
    m = m * 2;
    e = e - 1;
  }
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  double series = 1.0 / 19;
  for (int k = 17; k >= 3; k -= 2) series = series * square + 1.0 / k;
  const double twice = 2 * s;
  return e * 0.6931471805599453 + (twice * (square * series) + twice);
}

}  // namespace

Power power(float y) {
  const float t = y + kRound;
  const float n = t - kRound;
  const float f = y - n;
  constexpr uint32_t kBits[] = {0x3AF302D6, 0x3C6042E7, 0x3DA0C79C, 0x3EADF032, 0x3F7AF227, 0x3FB504F4};
  float p = std::bit_cast<float>(kBits[0]);
  for (int i = 1; i < 6; ++i) p = p * f + std::bit_cast<float>(kBits[i]);
  return {p, static_cast<int32_t>(std::bit_cast<uint32_t>(t) - kRoundBits)};
}

uint64_t mass(float y) {
  const Power at = power(y);
  const uint32_t k = 0u - static_cast<uint32_t>(at.n);
  return (uint64_t{std::bit_cast<uint32_t>(at.p) & 0x00FFFFFF} << 17) >> (k < 63 ? k : 63);
}

uint64_t top_p_target(uint32_t top_p, uint64_t total) {
  const unsigned __int128 product = static_cast<unsigned __int128>(total) * top_p;
  const uint64_t target = static_cast<uint64_t>((product + 0xFFFFFFFF) >> 32);
  return target > 0 ? target : 1;
}

float edited(const SampleArgs& args, int row, int64_t entry, float value) {
  const int32_t seen = args.edit_seen[entry];
  float z = value + args.edit_bias[entry];
  if (seen >= 0) z = z > 0 ? z / args.repetition[row] : z * args.repetition[row];
  if (seen > 0) z = (z - args.presence[row]) - args.frequency[row] * static_cast<float>(seen);
  return z;
}

float probability(float y, uint64_t total) {
  if (!(y >= -160)) return 0;
  const Power at = power(y);
  const double scaled = std::bit_cast<double>(static_cast<uint64_t>(1023 + at.n) << 52);
  return static_cast<float>(at.p * scaled * 0x1p40 / static_cast<double>(total));
}

double log_total(uint64_t total) { return natural_log(static_cast<double>(total) / kPeakMass); }

float logprob(float value, float peak, double log_of_total) {
  if (!(value > -std::numeric_limits<float>::infinity())) return -std::numeric_limits<float>::infinity();
  return static_cast<float>((static_cast<double>(value) - static_cast<double>(peak)) - log_of_total);
}

int32_t order_key(float x) {
  const int32_t bits = std::bit_cast<int32_t>(x);
  return bits >= 0 ? bits : bits ^ 0x7FFFFFFF;
}

float from_order_key(int32_t key) { return std::bit_cast<float>(key >= 0 ? key : key ^ 0x7FFFFFFF); }

float min_p_floor(float min_p, float peak, float scale) {
  int64_t low = order_key(-FLT_MAX), high = order_key(peak);
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const float y = (from_order_key(static_cast<int32_t>(middle)) - peak) * scale;
    if (y >= min_p) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return from_order_key(static_cast<int32_t>(high));
}

void write_failure(const SampleArgs& args, int row, Status status) {
  args.token[row] = -1;
  args.probability[row] = 0;
  args.logprob[row] = -std::numeric_limits<float>::infinity();
  args.sampling_probability[row] = 0;
  args.num_kept[row] = 0;
  args.status[row] = status;
  write_no_top(args, row, 0);
}

void write_no_top(const SampleArgs& args, int row, int first) {
  for (int64_t i = row * args.top_columns + first; i < row * args.top_columns + args.top_n[row]; ++i) {
    args.top_token[i] = -1;
    args.top_probability[i] = 0;
    args.top_logprob[i] = -std::numeric_limits<float>::infinity();
  }
}

}  // namespace sampling
}  // namespace genlib
