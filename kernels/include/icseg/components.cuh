// Connected components of bit masks with area, box and sums of each; see icseg/components.h.
#pragma once

#include "icseg/block_sums.cuh"
#include "icseg/union_find.cuh"

namespace icseg::cuda {

__device__ inline bool is_set(const std::uint32_t* words, int row_words, int y, int x) {
  return (words[static_cast<std::size_t>(y) * row_words + x / kWarp] >> (x % kWarp) & 1u) != 0;
}

// Blocks in x over pixels, masks in y, as in the three kernels that follow.
__global__ void components_start_kernel(int pixels, std::int32_t* parents) {
  const int pixel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (pixel < pixels) parents[static_cast<std::size_t>(blockIdx.y) * pixels + pixel] = pixel;
}

__global__ void components_unite_kernel(const std::uint32_t* words, int height, int width, int row_words,
                                        int connectivity, std::int32_t* parents) {
  const int pixel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), pixels = height * width;
  if (pixel >= pixels) return;
  const std::uint32_t* mask = words + static_cast<std::size_t>(blockIdx.y) * height * row_words;
  std::int32_t* sets = parents + static_cast<std::size_t>(blockIdx.y) * pixels;
  const int x = pixel % width, y = pixel / width;
  if (!is_set(mask, row_words, y, x)) return;
  if (x > 0 && is_set(mask, row_words, y, x - 1)) unite(sets, pixel, pixel - 1);
  if (y == 0) return;
  if (is_set(mask, row_words, y - 1, x)) unite(sets, pixel, pixel - width);
  if (connectivity != 8) return;
  if (x > 0 && is_set(mask, row_words, y - 1, x - 1)) unite(sets, pixel, pixel - width - 1);
  if (x + 1 < width && is_set(mask, row_words, y - 1, x + 1)) unite(sets, pixel, pixel - width + 1);
}

constexpr int kComponentRow = 7;

// Numbers the roots in row order and starts the rows of as many as there is room for. One block a mask.
__global__ void components_number_kernel(const std::uint32_t* words, int height, int width, int row_words,
                                         const std::int32_t* parents, int capacity, std::int32_t* numbers,
                                         std::int32_t* counts, Counter* rows) {
  ICSEG_SHARED(std::int32_t, partial, kWarps);
  const int pixels = height * width;
  const std::size_t start = static_cast<std::size_t>(blockIdx.x) * pixels;
  const std::uint32_t* mask = words + static_cast<std::size_t>(blockIdx.x) * height * row_words;
  std::int32_t found = 0;
  for (int first = 0; first < pixels; first += kBlock) {
    const int pixel = first + static_cast<int>(threadIdx.x);
    const bool is_root =
        pixel < pixels && parents[start + pixel] == pixel && is_set(mask, row_words, pixel / width, pixel % width);
    std::int32_t all;
    const std::int32_t number = found + block_scan(is_root ? 1 : 0, partial, all);
    if (is_root) {
      numbers[start + pixel] = number;
      if (number < capacity) {
        Counter* row = rows + (static_cast<std::size_t>(blockIdx.x) * capacity + number) * kComponentRow;
        row[0] = row[3] = row[4] = row[5] = row[6] = 0;
        row[1] = static_cast<Counter>(width);
        row[2] = static_cast<Counter>(height);
      }
    }
    found += all;
  }
  if (threadIdx.x == 0) counts[blockIdx.x] = found;
}

__global__ void components_label_kernel(const std::uint32_t* words, int height, int width, int row_words,
                                        const std::int32_t* parents, const std::int32_t* numbers, int capacity,
                                        std::int32_t* labels, Counter* rows) {
  const int pixel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), pixels = height * width;
  if (pixel >= pixels) return;
  const std::size_t start = static_cast<std::size_t>(blockIdx.y) * pixels;
  const std::uint32_t* mask = words + static_cast<std::size_t>(blockIdx.y) * height * row_words;
  const int x = pixel % width, y = pixel / width;
  if (!is_set(mask, row_words, y, x)) {
    labels[start + pixel] = 0;
    return;
  }
  const std::int32_t number = numbers[start + root_of(parents + start, pixel)];
  labels[start + pixel] = number + 1;
  if (number >= capacity) return;
  Counter* row = rows + (static_cast<std::size_t>(blockIdx.y) * capacity + number) * kComponentRow;
  const auto at_x = static_cast<Counter>(x), at_y = static_cast<Counter>(y);
  atomicAdd(row, Counter{1});
  atomicMin(row + 1, at_x);
  atomicMin(row + 2, at_y);
  atomicMax(row + 3, at_x + 1);
  atomicMax(row + 4, at_y + 1);
  atomicAdd(row + 5, at_x);
  atomicAdd(row + 6, at_y);
}

// The number of the largest component of each mask, the first of equal ones; -1 of an empty mask. One block a mask.
__global__ void largest_number_kernel(const Counter* rows, const std::int32_t* counts, int capacity,
                                      std::int32_t* largest) {
  ICSEG_SHARED(Counter, partial, kWarps);
  const int count = counts[blockIdx.x] < capacity ? counts[blockIdx.x] : capacity;
  Counter best = 0;
  for (int number = static_cast<int>(threadIdx.x); number < count; number += kBlock) {
    const Counter area = rows[(static_cast<std::size_t>(blockIdx.x) * capacity + number) * kComponentRow];
    const Counter key = area << 32 | (0xffffffffu - static_cast<unsigned>(number));
    best = key > best ? key : best;
  }
  best = warp_max(best);
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = best;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int warp = 1; warp < kWarps; ++warp) best = partial[warp] > best ? partial[warp] : best;
  largest[blockIdx.x] = best == 0 ? -1 : static_cast<std::int32_t>(0xffffffffu - static_cast<unsigned>(best));
}

// grid: words of a row, ceil(height / 8), masks; block: 32 x 8.
__global__ void keep_label_kernel(const std::int32_t* labels, const std::int32_t* largest, int height, int width,
                                  std::uint32_t* kept) {
  const int x = static_cast<int>(blockIdx.x * kWarp + threadIdx.x);
  const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
  if (y >= height) return;  // the same for all lanes of a warp
  const std::size_t row = static_cast<std::size_t>(blockIdx.z) * height + y;
  const bool is_kept = x < width && largest[blockIdx.z] >= 0 && labels[row * width + x] == largest[blockIdx.z] + 1;
  const std::uint32_t word = __ballot_sync(kAllLanes, is_kept);
  if (threadIdx.x == 0) kept[row * gridDim.x + blockIdx.x] = word;
}

}  // namespace icseg::cuda
