// SAM 2's clean-up of logits; see icseg/fill.h.
#pragma once

#include "icseg/block_sums.cuh"
#include "icseg/half.cuh"
#include "icseg/union_find.cuh"

namespace icseg::cuda {

// Logit: float, or std::uint16_t for the bits of a half.
template <typename Logit>
struct Limits {
  float threshold;
  std::int32_t hole_area, sprinkle_area;
  Logit hole_value, sprinkle_value;
};

enum Side : unsigned char { kNeither, kInside, kOutside };

template <typename Logit>
__device__ inline Side side_of(Logit logit, float threshold) {
  const float value = number_of(logit);
  return value > threshold ? kInside : value <= threshold ? kOutside : kNeither;
}

template <typename Logit>
__device__ inline Logit cleaned_value(Logit logit, Side side, std::int32_t area, const Limits<Logit>& limits) {
  if (side == kInside && area <= limits.sprinkle_area) return limits.sprinkle_value;
  if (side == kOutside && area <= limits.hole_area) return limits.hole_value;
  return logit;
}

constexpr int kTile = 32, kHalo = 8, kWindow = kTile + 2 * kHalo, kWindowCells = kWindow * kWindow;

// Both areas at most kHalo, in one launch: a component of at most kHalo cells with a cell in the tile lies within the
// window, and of a larger one more than kHalo cells do, so the window's own components tell. grid: tiles x, tiles y, masks.
template <typename Logit>
__global__ void clean_small_kernel(const Logit* logits, int height, int width, Limits<Logit> limits, Logit* cleaned) {
  ICSEG_SHARED(std::int32_t, parents, kWindowCells);
  ICSEG_SHARED(std::int32_t, areas, kWindowCells);
  ICSEG_SHARED(unsigned char, sides, kWindowCells);
  const int left = static_cast<int>(blockIdx.x) * kTile - kHalo, top = static_cast<int>(blockIdx.y) * kTile - kHalo;
  const std::size_t start = static_cast<std::size_t>(blockIdx.z) * height * width;
  for (int cell = static_cast<int>(threadIdx.x); cell < kWindowCells; cell += kBlock) {
    const int x = left + cell % kWindow, y = top + cell / kWindow;
    const bool is_cell = x >= 0 && y >= 0 && x < width && y < height;
    sides[cell] = is_cell ? side_of(logits[start + static_cast<std::size_t>(y) * width + x], limits.threshold)
                          : kNeither;
    parents[cell] = cell;
    if (!ICSEG_SEEDED_BUG("areas that start as they are")) areas[cell] = 0;
  }
  if (!ICSEG_SEEDED_BUG("no barrier after the start")) __syncthreads();
  for (int cell = static_cast<int>(threadIdx.x); cell < kWindowCells; cell += kBlock) {
    const unsigned char side = sides[cell];
    const int x = cell % kWindow, y = cell / kWindow;
    if (side == kNeither) continue;
    if (x > 0 && sides[cell - 1] == side) unite(parents, cell, cell - 1);
    if (y == 0) continue;
    if (sides[cell - kWindow] == side) unite(parents, cell, cell - kWindow);
    if (x > 0 && sides[cell - kWindow - 1] == side) unite(parents, cell, cell - kWindow - 1);
    if (x + 1 < kWindow && sides[cell - kWindow + 1] == side) unite(parents, cell, cell - kWindow + 1);
  }
  __syncthreads();
  for (int cell = static_cast<int>(threadIdx.x); cell < kWindowCells; cell += kBlock) {
    if (sides[cell] == kNeither) continue;
    std::int32_t* area = areas + root_of(parents, cell);
    if (ICSEG_SEEDED_BUG("areas counted without atomics")) {
      *area += 1;
    } else {
      atomicAdd(area, 1);
    }
  }
  __syncthreads();
  for (int cell = static_cast<int>(threadIdx.x); cell < kTile * kTile; cell += kBlock) {
    const int in_x = cell % kTile + kHalo, in_y = cell / kTile + kHalo, x = left + in_x, y = top + in_y;
    if (x >= width || y >= height) continue;
    const std::size_t at = start + static_cast<std::size_t>(y) * width + x;
    const int in_window = in_y * kWindow + in_x;
    const std::int32_t area = areas[root_of(parents, in_window)];
    cleaned[at] = cleaned_value(logits[at], static_cast<Side>(sides[in_window]), area, limits);
  }
}

// The general form: four launches over all cells, blocks in x, masks in y.
__global__ void clean_start_kernel(int cells, std::int32_t* parents, std::int32_t* areas) {
  const int cell = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (cell >= cells) return;
  const std::size_t at = static_cast<std::size_t>(blockIdx.y) * cells + cell;
  parents[at] = cell;
  areas[at] = 0;
}

template <typename Logit>
__global__ void clean_unite_kernel(const Logit* logits, int height, int width, float threshold, std::int32_t* parents) {
  const int cell = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), cells = height * width;
  if (cell >= cells) return;
  const Logit* of_mask = logits + static_cast<std::size_t>(blockIdx.y) * cells;
  std::int32_t* sets = parents + static_cast<std::size_t>(blockIdx.y) * cells;
  const Side side = side_of(of_mask[cell], threshold);
  if (side == kNeither) return;
  const int x = cell % width;
  const auto join = [&](int other) {
    if (side_of(of_mask[other], threshold) == side) unite(sets, cell, other);
  };
  if (x > 0) join(cell - 1);
  if (cell < width) return;
  join(cell - width);
  if (x > 0) join(cell - width - 1);
  if (x + 1 < width) join(cell - width + 1);
}

__global__ void clean_count_kernel(int cells, const std::int32_t* parents, std::int32_t* areas) {
  const int cell = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (cell >= cells) return;
  const std::size_t start = static_cast<std::size_t>(blockIdx.y) * cells;
  atomicAdd(areas + start + root_of(parents + start, cell), 1);
}

template <typename Logit>
__global__ void clean_apply_kernel(const Logit* logits, int cells, Limits<Logit> limits, const std::int32_t* parents,
                                   const std::int32_t* areas, Logit* cleaned) {
  const int cell = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (cell >= cells) return;
  const std::size_t start = static_cast<std::size_t>(blockIdx.y) * cells, at = start + cell;
  const std::int32_t area = areas[start + root_of(parents + start, cell)];
  cleaned[at] = cleaned_value(logits[at], side_of(logits[at], limits.threshold), area, limits);
}

}  // namespace icseg::cuda
