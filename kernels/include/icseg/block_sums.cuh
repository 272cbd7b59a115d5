// Sums over a warp and over a block of 256 threads.
#pragma once

#include "icseg/cuda_platform.cuh"

namespace icseg::cuda {

constexpr int kBlock = 256, kWarps = kBlock / kWarp;

// The sum of a warp's values, in lane 0.
template <typename Value>
__device__ Value warp_sum(Value value) {
  for (int by = kWarp / 2; by > 0; by /= 2) value += __shfl_down_sync(kAllLanes, value, by);
  return value;
}

template <typename Value>
__device__ Value warp_max(Value value) {
  for (int by = kWarp / 2; by > 0; by /= 2) {
    const Value other = __shfl_down_sync(kAllLanes, value, by);
    value = other > value ? other : value;
  }
  return value;
}

// The sum of the values of threads 0..255, in thread 0. `partial`: kWarps shared values.
__device__ inline Counter block_sum(Counter value, Counter* partial) {
  const int thread = static_cast<int>(threadIdx.x);
  value = warp_sum(value);
  if (thread % kWarp == 0) partial[thread / kWarp] = value;
  __syncthreads();
  Counter total = 0;
  if (thread == 0) {
    for (int warp = 0; warp < kWarps; ++warp) total += partial[warp];
  }
  __syncthreads();
  return total;
}

// The sum of the values of the threads before this one, and of all in `total`. `partial`: kWarps shared numbers.
__device__ inline std::int32_t block_scan(std::int32_t value, std::int32_t* partial, std::int32_t& total) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp;
  std::int32_t upto = value;
  for (int by = 1; by < kWarp; by *= 2) {
    const std::int32_t other = __shfl_up_sync(kAllLanes, upto, by);
    if (lane >= by) upto += other;
  }
  if (lane == kWarp - 1) partial[thread / kWarp] = upto;
  __syncthreads();
  std::int32_t before = 0;
  total = 0;
  for (int warp = 0; warp < kWarps; ++warp) {
    if (warp < thread / kWarp) before += partial[warp];
    total += partial[warp];
  }
  __syncthreads();
  return before + upto - value;
}

}  // namespace icseg::cuda
