// Intersections of bit masks, and suppression by them; see icseg/overlap.h.
#pragma once

#include <cmath>

#include "icseg/block_sums.cuh"

namespace icseg::cuda {

// both[i * gridDim.x + j]: pixels in mask i of a and mask j of b. grid: masks of b, masks of a.
__global__ void intersections_kernel(const std::uint32_t* a, const std::uint32_t* b, int mask_words,
                                     std::int64_t* both) {
  ICSEG_SHARED(Counter, partial, kWarps);
  const std::uint32_t* of_a = a + static_cast<std::size_t>(blockIdx.y) * mask_words;
  const std::uint32_t* of_b = b + static_cast<std::size_t>(blockIdx.x) * mask_words;
  Counter count = 0;
  for (int word = static_cast<int>(threadIdx.x); word < mask_words; word += kBlock) {
    count += static_cast<Counter>(__popc(of_a[word] & of_b[word]));
  }
  count = block_sum(count, partial);
  if (threadIdx.x == 0) both[static_cast<std::size_t>(blockIdx.y) * gridDim.x + blockIdx.x] = static_cast<std::int64_t>(count);
}

// One block a mask.
__global__ void areas_kernel(const std::uint32_t* masks, int mask_words, std::int64_t* areas) {
  ICSEG_SHARED(Counter, partial, kWarps);
  const std::uint32_t* mask = masks + static_cast<std::size_t>(blockIdx.x) * mask_words;
  Counter count = 0;
  for (int word = static_cast<int>(threadIdx.x); word < mask_words; word += kBlock) {
    count += static_cast<Counter>(__popc(mask[word]));
  }
  count = block_sum(count, partial);
  if (threadIdx.x == 0) areas[blockIdx.x] = static_cast<std::int64_t>(count);
}

__device__ inline double iou(std::int64_t both, std::int64_t area_a, std::int64_t area_b) {
  const std::int64_t together = area_a + area_b - both;
  return together == 0 ? 0.0 : static_cast<double>(both) / static_cast<double>(together);
}

__global__ void iou_matrix_kernel(const std::int64_t* both, const std::int64_t* areas_a, const std::int64_t* areas_b,
                                  int count_a, int count_b, double* matrix) {
  const int at = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (at < count_a * count_b) matrix[at] = iou(both[at], areas_a[at / count_b], areas_b[at % count_b]);
}

// NaN counts as the lowest: without an order of all scores two masks would take one rank, and a rank would stay empty.
__device__ inline float ordered(float score) { return score == score ? score : -INFINITY; }

// One block. order, is_gone: room for `count` numbers. kept: the numbers that stay, by falling score; kept_count: one.
__global__ void mask_nms_kernel(const std::int64_t* both, const std::int64_t* areas, const float* scores, int count,
                                double max_iou, std::int32_t* order, std::int32_t* is_gone, std::int32_t* kept,
                                std::int32_t* kept_count) {
  for (int n = static_cast<int>(threadIdx.x); n < count; n += kBlock) {
    const float score = ordered(scores[n]);
    int rank = 0;
    for (int other = 0; other < count; ++other) {
      const float of_other = ordered(scores[other]);
      if (of_other > score || (of_other == score && other < n)) ++rank;
    }
    order[rank] = n;
    is_gone[n] = 0;
  }
  __syncthreads();
  std::int32_t found = 0;
  for (int rank = 0; rank < count; ++rank) {
    const std::int32_t n = order[rank];
    const bool stays = is_gone[n] == 0;  // the same for all threads
    if (stays) {
      if (threadIdx.x == 0) kept[found] = n;
      ++found;
    }
    __syncthreads();
    if (stays) {
      for (int other = static_cast<int>(threadIdx.x); other < count; other += kBlock) {
        const std::int64_t shared = both[static_cast<std::size_t>(n) * count + other];
        if (other != n && iou(shared, areas[n], areas[other]) > max_iou) is_gone[other] = 1;
      }
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) *kept_count = found;
}

}  // namespace icseg::cuda
