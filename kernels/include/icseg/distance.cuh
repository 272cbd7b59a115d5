// The deepest pixel of each mask; see icseg/distance.h.
#pragma once

#include "icseg/components.cuh"

namespace icseg::cuda {

// Distance to the nearest pixel outside along the column, the border counting as outside. One thread a column, masks in y.
__global__ void column_distance_kernel(const std::uint32_t* words, int height, int width, int row_words,
                                       std::int32_t* distances) {
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (x >= width) return;
  const std::uint32_t* mask = words + static_cast<std::size_t>(blockIdx.y) * height * row_words;
  std::int32_t* column = distances + static_cast<std::size_t>(blockIdx.y) * height * width + x;
  std::int32_t run = 0;
  for (int y = 0; y < height; ++y) {
    run = is_set(mask, row_words, y, x) ? run + 1 : 0;
    column[static_cast<std::size_t>(y) * width] = run;
  }
  run = 0;
  for (int y = height - 1; y >= 0; --y) {
    std::int32_t& place = column[static_cast<std::size_t>(y) * width];
    run = place == 0 ? 0 : run + 1;
    if (run < place) place = run;
  }
}

// The squared distance in the upper half of the key, the pixel's number turned round in the lower: the greatest key is
// the deepest pixel, the first of equal ones. Blocks in x over pixels, masks in y. keys: zero.
__global__ void distance_key_kernel(const std::int32_t* distances, int height, int width, Counter* keys) {
  const int pixel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), pixels = height * width;
  Counter key = 0;
  if (pixel < pixels) {
    const std::int32_t* row = distances + static_cast<std::size_t>(blockIdx.y) * pixels + pixel / width * width;
    const int x = pixel % width;
    const auto best = static_cast<std::int64_t>(load_relaxed(keys + blockIdx.y) >> 32);
    std::int64_t least = static_cast<std::int64_t>(row[x]) * row[x];
    for (std::int64_t off = 1; least >= best && off * off < least; ++off) {
      const std::int64_t left = x - off < 0 ? 0 : row[x - off], right = x + off >= width ? 0 : row[x + off];
      const std::int64_t by_left = off * off + left * left, by_right = off * off + right * right;
      least = by_left < least ? by_left : least;
      least = by_right < least ? by_right : least;
    }
    if (least > 0 && least >= best) {
      key = static_cast<Counter>(least) << 32 | (0xffffffffu - static_cast<unsigned>(pixel));
    }
  }
  key = warp_max(key);
  if (threadIdx.x % kWarp == 0 && key != 0) atomicMax(keys + blockIdx.y, key);
}

// x, y, squared distance of each mask; -1, -1, 0 of an empty one.
__global__ void distance_peak_kernel(const Counter* keys, int masks, int width, std::int64_t* peaks) {
  const int mask = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (mask >= masks) return;
  const Counter key = keys[mask];
  const auto pixel = static_cast<std::int64_t>(0xffffffffu - static_cast<unsigned>(key & 0xffffffffu));
  peaks[3 * mask] = key == 0 ? -1 : pixel % width;
  peaks[3 * mask + 1] = key == 0 ? -1 : pixel / width;
  peaks[3 * mask + 2] = static_cast<std::int64_t>(key >> 32);
}

}  // namespace icseg::cuda
