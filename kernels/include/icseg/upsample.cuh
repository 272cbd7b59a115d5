// Low-resolution logits to bit masks at the camera's size with their statistics, one launch for all objects.
#pragma once

#include "icseg/half.cuh"
#include "icseg/statistics.cuh"
#include "icseg/taps.cuh"

namespace icseg::cuda {

// Logit: float, or std::uint16_t for the bits of a half.
template <typename Logit>
__device__ inline float value_at(const Logit* logits, int cells_w, const Tap& column, const Tap& row) {
  const Logit* top = logits + static_cast<std::size_t>(row.left) * cells_w;
  const Logit* bottom = logits + static_cast<std::size_t>(row.right) * cells_w;
  return mixed(mixed(number_of(top[column.left]), number_of(top[column.right]), column.weight),
               mixed(number_of(bottom[column.left]), number_of(bottom[column.right]), column.weight), row.weight);
}

struct Levels {
  float lower, mask, upper;
};

// words: masks x height x gridDim.x. Otherwise as mask_statistics_kernel.
template <typename Logit>
__global__ void upsample_threshold_kernel(const Logit* logits, int cells_h, int cells_w, AxisMap columns, AxisMap rows,
                                          int height, int width, Levels levels, std::uint32_t* words, Counter* totals,
                                          unsigned* tickets) {
  ICSEG_SHARED(Counter, partial, kWarps * kStatisticsFields);
  const int row_words = static_cast<int>(gridDim.x), mask = static_cast<int>(blockIdx.z);
  const int x = static_cast<int>(blockIdx.x * kWarp + threadIdx.x);
  const int top = static_cast<int>(blockIdx.y) * kBlockRows + static_cast<int>(threadIdx.y) * kRowsPerThread;
  const Logit* of_mask = logits + static_cast<std::size_t>(mask) * cells_h * cells_w;
  const Tap column = tap_of(columns, x < width ? x : width - 1);
  ColumnSums sums;
  for (int y = top; y < top + kRowsPerThread && y < height; ++y) {  // the same for all lanes of a warp
    const float value = value_at(of_mask, cells_w, column, tap_of(rows, y));
    const bool is_pixel = x < width;
    const bool is_inside = is_pixel && value > levels.mask;
    std::uint32_t word;
    if (ICSEG_SEEDED_BUG("a vote that only some lanes reach")) {
      word = 0;
      if (is_inside) word = __ballot_sync(kAllLanes, is_inside);
    } else {
      word = __ballot_sync(kAllLanes, is_inside);
    }
    const int off = ICSEG_SEEDED_BUG("writes one word past the mask") ? 1 : 0;
    if (threadIdx.x == 0) {
      words[(static_cast<std::size_t>(mask) * height + y) * row_words + blockIdx.x + off] = word;
    }
    if (is_inside) sums.add(y);
    sums.above += is_pixel && value > levels.upper ? 1 : 0;
    sums.below += is_pixel && value > levels.lower ? 1 : 0;
    if (ICSEG_SEEDED_BUG("a barrier in a branch") && is_inside) __syncthreads();
  }
  add_block(sums, x, width, height, static_cast<int>(gridDim.x * gridDim.y), partial,
            totals + mask * kStatisticsFields, tickets + mask);
}

// A pixel that several masks hold stays with the first of the highest value. One thread a word.
template <typename Logit>
__global__ void resolve_overlaps_kernel(const Logit* logits, int masks, int cells_h, int cells_w, AxisMap columns,
                                        AxisMap rows, int height, int row_words, std::uint32_t* words) {
  const std::size_t at = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const std::size_t mask_words = static_cast<std::size_t>(height) * row_words;
  if (at >= mask_words) return;
  std::uint32_t any = 0, shared = 0;
  for (int n = 0; n < masks; ++n) {
    shared |= any & words[n * mask_words + at];
    any |= words[n * mask_words + at];
  }
  const Tap row = tap_of(rows, static_cast<int>(at / row_words));
  for (; shared != 0; shared &= shared - 1) {
    const int bit = __ffs(shared) - 1;
    const Tap column = tap_of(columns, static_cast<int>(at % row_words) * kWarp + bit);
    int best = -1;
    float best_value = 0.0f;
    for (int n = 0; n < masks; ++n) {
      if (!(words[n * mask_words + at] >> bit & 1u)) continue;
      words[n * mask_words + at] &= ~(1u << bit);
      const float value = value_at(logits + static_cast<std::size_t>(n) * cells_h * cells_w, cells_w, column, row);
      if (best < 0 || value > best_value) {
        best = n;
        best_value = value;
      }
    }
    words[best * mask_words + at] |= 1u << bit;
  }
}

// The stability's areas are of each object alone: kept while the others are counted again.
__global__ void keep_stability_kernel(const Counter* from, Counter* to) {
  const int field = threadIdx.x == 0 ? kAbove : kBelow;
  to[blockIdx.x * kStatisticsFields + field] = from[blockIdx.x * kStatisticsFields + field];
}

}  // namespace icseg::cuda
