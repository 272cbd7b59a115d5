// Area, box and moments of masks, accumulated by blocks of 32 x 8 threads over 32 columns and 32 rows each.
#pragma once

#include "icseg/block_sums.cuh"
#include "icseg/statistics.h"

namespace icseg::cuda {

constexpr int kRowsPerThread = 4, kBlockRows = kWarps * kRowsPerThread;

// Places of MaskStatistics. While blocks add to it, the box holds width - x0, height - y0, x1, y1: all grow from 0.
enum Field { kArea, kX0, kY0, kX1, kY1, kSumX, kSumY, kSumXX, kSumXY, kSumYY, kAbove, kBelow };

// What one thread saw of its column.
struct ColumnSums {
  Counter count = 0, sum_y = 0, sum_yy = 0, above = 0, below = 0;
  int first = -1, last = -1;

  __device__ void add(int y) {
    const auto row = static_cast<Counter>(y);
    count += 1;
    sum_y += row;
    sum_yy += row * row;
    if (first < 0) first = y;
    last = y;
  }
};

// Adds a block's columns to the totals of a mask; the last block of the mask turns the box round. partial: kWarps *
// kStatisticsFields shared counters. ticket: one zero per mask.
__device__ inline void add_block(const ColumnSums& column, int x, int width, int height, int blocks, Counter* partial,
                                 Counter* totals, unsigned* ticket) {
  const int thread = static_cast<int>(threadIdx.y * kWarp + threadIdx.x), warp = static_cast<int>(threadIdx.y);
  const auto place = static_cast<Counter>(x);
  const bool is_empty = column.count == 0;
  const Counter fields[kStatisticsFields] = {column.count,
                                             is_empty ? 0 : static_cast<Counter>(width - x),
                                             is_empty ? 0 : static_cast<Counter>(height - column.first),
                                             is_empty ? 0 : place + 1,
                                             is_empty ? 0 : static_cast<Counter>(column.last + 1),
                                             place * column.count,
                                             column.sum_y,
                                             place * place * column.count,
                                             place * column.sum_y,
                                             column.sum_yy,
                                             column.above,
                                             column.below};
  for (int field = 0; field < kStatisticsFields; ++field) {
    const bool is_edge = field >= kX0 && field <= kY1;
    const Counter reduced = is_edge ? warp_max(fields[field]) : warp_sum(fields[field]);
    if (threadIdx.x == 0) partial[warp * kStatisticsFields + field] = reduced;
  }
  if (!ICSEG_SEEDED_BUG("no barrier before the reduction")) __syncthreads();
  if (thread < kStatisticsFields) {
    const bool is_edge = thread >= kX0 && thread <= kY1;
    Counter whole = 0;
    for (int other = 0; other < kWarps; ++other) {
      const Counter part = partial[other * kStatisticsFields + thread];
      whole = is_edge ? (part > whole ? part : whole) : whole + part;
    }
    if (whole != 0) {
      if (is_edge) {
        atomicMax(totals + thread, whole);
      } else if (ICSEG_SEEDED_BUG("a plain sum over blocks")) {
        totals[thread] += whole;
      } else {
        atomicAdd(totals + thread, whole);
      }
    }
  }
  __syncthreads();
  if (thread != 0) return;
  const bool is_last = take_ticket(ticket) == static_cast<unsigned>(blocks - 1);
  if (!is_last && !ICSEG_SEEDED_BUG("every block turns the box round")) return;
  if (load_relaxed(totals + kArea) == 0) return;
  totals[kX0] = static_cast<Counter>(width) - load_relaxed(totals + kX0);
  totals[kY0] = static_cast<Counter>(height) - load_relaxed(totals + kY0);
}

// totals: zero, kStatisticsFields counters a mask. grid: words of a row, ceil(height / 32), masks; block: 32 x 8.
__global__ void mask_statistics_kernel(const std::uint32_t* words, int height, int width, Counter* totals,
                                       unsigned* tickets) {
  ICSEG_SHARED(Counter, partial, kWarps * kStatisticsFields);
  const int row_words = static_cast<int>(gridDim.x), mask = static_cast<int>(blockIdx.z);
  const int x = static_cast<int>(blockIdx.x * kWarp + threadIdx.x);
  const int top = static_cast<int>(blockIdx.y) * kBlockRows + static_cast<int>(threadIdx.y) * kRowsPerThread;
  const std::uint32_t* of_mask = words + static_cast<std::size_t>(mask) * height * row_words;
  ColumnSums column;
  for (int y = top; y < top + kRowsPerThread && y < height; ++y) {
    const std::uint32_t word = of_mask[static_cast<std::size_t>(y) * row_words + blockIdx.x];
    if (word >> threadIdx.x & 1u) column.add(y);
  }
  column.above = column.below = column.count;
  add_block(column, x, width, height, static_cast<int>(gridDim.x * gridDim.y), partial,
            totals + mask * kStatisticsFields, tickets + mask);
}

}  // namespace icseg::cuda
