// The values of a row: logits as float32, and what mask and edits make of them; and the largest of each tile.
#pragma once

#include "cpu/sampling/row.inc.h"
#include "cpu/sampling/sampling.h"

namespace genlib::GENLIB_WIDTH {

// bfloat16 is the upper half of a float32.
GENLIB_INLINE f32x16 widen_bfloat16(const uint16_t* from) {
  typedef uint16_t Halves __attribute__((vector_size(kVectorBytes / 2), aligned(2), may_alias));
  u32x16 bits;
  for (int i = 0; i < u32x16::kParts; ++i)
    bits.part[i] = __builtin_convertvector(*reinterpret_cast<const Halves*>(from + i * u32x16::kPerPart),
                                           u32x16::Native);
  return bit_cast<float>(bits << fill<uint32_t>(16));
}

template <f32x16 (*widen)(const uint16_t*)>
GENLIB_INLINE void widen_values(const uint16_t* from, int n, float* to) {
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) store(to + i, widen(from + i));
  if (i == n) return;
  uint16_t last[kLanes] = {};
  for (int j = i; j < n; ++j) last[j - i] = from[j];
  store_first(to + i, widen(last), n - i);
}

// from[i] where bit i of the mask is set; −inf elsewhere, and for NaN.
static void mask_values(const float* from, const uint32_t* allowed, int n, float* to) {
  static constexpr uint32_t kBit[kLanes] = {1u << 0,  1u << 1,  1u << 2,  1u << 3, 1u << 4,  1u << 5,
                                            1u << 6,  1u << 7,  1u << 8,  1u << 9, 1u << 10, 1u << 11,
                                            1u << 12, 1u << 13, 1u << 14, 1u << 15};
  const u32x16 bit = load(kBit);
  const f32x16 none = fill(-__builtin_inff());
  for (int i = 0; i < n; i += kLanes) {
    const u32x16 word = fill(allowed[i / 32] >> (i % 32)) & bit;
    const f32x16 x = load_values(from + i, n - i);
    f32x16 r;
    for (int j = 0; j < f32x16::kParts; ++j) r.part[j] = word.part[j] != 0 ? x.part[j] : none.part[j];
    store_first(to + i, max(r, none), n - i);
  }
}

// NaN as −inf.
static void copy_values(const float* from, int n, float* to) {
  const f32x16 none = fill(-__builtin_inff());
  for (int i = 0; i < n; i += kLanes) store_first(to + i, max(load_values(from + i, n - i), none), n - i);
}

// The row's first edit of a token that is not before `id`.
static int64_t first_edit(const SampleArgs& args, int r, int id) {
  int64_t low = args.edit_start[r], high = low + args.edit_count[r];
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (args.edit_token[middle] < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The largest of n values. Counts the finite ones, lane by lane.
GENLIB_INLINE float peak_of(const float* values, int n, u32x16* finite) {
  const u32x16 one = fill(1u);
  f32x16 high[2] = {fill(-__builtin_inff()), fill(-__builtin_inff())};
  int i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes)
    for (int j = 0; j < 2; ++j) {
      const f32x16 x = load(values + i + j * kLanes);
      high[j] = max(x, high[j]);
      *finite = *finite + only(at_least(x, kLowest), one);
    }
  for (; i < n; i += kLanes) {
    const f32x16 x = load_values(values + i, n - i);
    high[0] = max(x, high[0]);
    *finite = *finite + only(at_least(x, kLowest), one);
  }
  return max_of(max(high[0], high[1]));
}

// The largest value, of each tile and of all, −inf if there is none; and how many are finite. prepare(first,
// n) makes a block's values before they are looked at. work: as each_block has it.
template <typename Prepare>
GENLIB_INLINE void find_peaks(Row* row, int work, Prepare prepare) {
  each_block(*row, work, [&](int first_block, int last_block) {
    for (int b = first_block; b < last_block; ++b) {
      u32x16 finite = {};
      float peak = -__builtin_inff();
      const int first = b * kSampleBlock, last = tile_end(*row, block_end(*row, b) - 1);
      prepare(first, last - first);
      for (int t = b * kBlockTiles; t < block_end(*row, b); ++t) {
        row->tile_peak[t] =
            peak_of(row->values + t * kSampleTile, tile_end(*row, t) - t * kSampleTile, &finite);
        peak = row->tile_peak[t] > peak ? row->tile_peak[t] : peak;
      }
      row->room.block[b].peak = peak;
      row->room.block[b].num_finite = static_cast<int>(sum(finite));
    }
  });
  row->against.peak = -__builtin_inff();
  row->num_finite = 0;
  for (int b = 0; b < num_blocks(*row); ++b) {
    const SampleBlock& block = row->room.block[b];
    row->against.peak = block.peak > row->against.peak ? block.peak : row->against.peak;
    row->num_finite += block.num_finite;
  }
}

// The row as the model gave it.
static Row read_logits(const LogitArgs& args, int r, const SampleScratch& room, const SampleTeam* team) {
  Row row = {};
  row.vocabulary = args.vocabulary;
  row.num_tiles = (args.vocabulary + kSampleTile - 1) / kSampleTile;
  row.room = room;
  row.team = team;
  row.tile_peak = room.model_peak;
  row.against.scale = sampling::kModelScale;
  if (args.logit_type == FloatType::kFloat32) {
    row.values = static_cast<const float*>(args.logits) + r * args.logits_stride;
    find_peaks(&row, row.vocabulary / 2, [](int, int) {});
    return row;
  }
  const uint16_t* logits = static_cast<const uint16_t*>(args.logits) + r * args.logits_stride;
  row.values = room.widened;
  if (args.logit_type == FloatType::kBfloat16) {
    find_peaks(&row, row.vocabulary, [=](int first, int n) {
      widen_values<widen_bfloat16>(logits + first, n, room.widened + first);
    });
  } else {
    find_peaks(&row, row.vocabulary, [=](int first, int n) {
      widen_values<widen_float16>(logits + first, n, room.widened + first);
    });
  }
  return row;
}

// The row drawn from: the model's, masked and edited.
static Row process(const SampleArgs& args, int r, const Row& model) {
  Row row = model;
  row.against.scale = args.scale[r];
  if (args.mask[r] < 0 && args.edit_count[r] == 0) return row;
  const uint32_t* allowed = args.mask[r] < 0 ? nullptr : args.masks + args.mask[r] * args.masks_stride;
  const int64_t last_edit = args.edit_start[r] + args.edit_count[r];
  float* to = row.room.processed;
  row.values = to;
  row.tile_peak = row.room.tile_peak;
  find_peaks(&row, row.vocabulary, [&](int first, int n) {
    if (allowed != nullptr) {
      mask_values(model.values + first, allowed + first / 32, n, to + first);
    } else {
      copy_values(model.values + first, n, to + first);
    }
    for (int64_t i = first_edit(args, r, first); i < last_edit && args.edit_token[i] < first + n; ++i) {
      float& value = to[args.edit_token[i]];
      value = sampling::edited(args, r, i, value);
    }
  });
  return row;
}

}  // namespace genlib::GENLIB_WIDTH
