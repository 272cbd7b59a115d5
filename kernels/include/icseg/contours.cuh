// The outlines of bit masks as linked corners; see icseg/contours.h. Horizontal edges are found line by line, each with its
// two corners; then every corner whose vertical edge goes up looks for the edge's other end. Following the links gives
// the polygons.
#pragma once

#include "icseg/components.cuh"

namespace icseg::cuda {

struct Edge {
  std::int32_t left, right, y, is_below;  // the mask lies below it, and it runs to the right; or above, and to the left
};

__device__ inline bool is_inside(const std::uint32_t* mask, int row_words, int height, int width, int y, int x) {
  return y >= 0 && x >= 0 && y < height && x < width && is_set(mask, row_words, y, x);
}

// The pixels of a word above which, or below which, an edge of line y lies; a line lies above the row of its number.
__device__ inline std::uint32_t edge_word(const std::uint32_t* mask, int row_words, int height, int y, int word,
                                          bool is_below) {
  if (word < 0) return 0;
  const std::uint32_t above = y == 0 ? 0u : mask[static_cast<std::size_t>(y - 1) * row_words + word];
  const std::uint32_t below = y == height ? 0u : mask[static_cast<std::size_t>(y) * row_words + word];
  return is_below ? below & ~above : above & ~below;
}

__device__ inline std::uint32_t start_word(const std::uint32_t* mask, int row_words, int height, int y, int word,
                                           bool is_below) {
  const std::uint32_t edges = edge_word(mask, row_words, height, y, word, is_below);
  return edges & ~(edges << 1 | edge_word(mask, row_words, height, y, word - 1, is_below) >> 31);
}

// One thread a line, height + 1 lines; masks in y.
__global__ void count_edges_kernel(const std::uint32_t* words, int height, int row_words, std::int32_t* starts) {
  const int y = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (y > height) return;
  const std::uint32_t* mask = words + static_cast<std::size_t>(blockIdx.y) * height * row_words;
  std::int32_t count = 0;
  for (int word = 0; word < row_words; ++word) {
    count += __popc(start_word(mask, row_words, height, y, word, true));
    count += __popc(start_word(mask, row_words, height, y, word, false));
  }
  starts[static_cast<std::size_t>(blockIdx.y) * (height + 1) + y] = count;
}

// starts: of each line, as start_columns_kernel leaves them. Corners 2 e and 2 e + 1 are the left and right end of edge e.
__global__ void place_edges_kernel(const std::uint32_t* words, int height, int width, int row_words,
                                   const std::int32_t* starts, int capacity, Edge* edges, std::int32_t* corners,
                                   std::int32_t* next) {
  const int y = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (y > height) return;
  const std::uint32_t* mask = words + static_cast<std::size_t>(blockIdx.y) * height * row_words;
  const std::size_t first = static_cast<std::size_t>(blockIdx.y) * capacity;
  std::int32_t at = starts[static_cast<std::size_t>(blockIdx.y) * (height + 1) + y];
  for (int word = 0; word < row_words; ++word) {
    const std::uint32_t below = start_word(mask, row_words, height, y, word, true);
    std::uint32_t left_over = below | start_word(mask, row_words, height, y, word, false);
    for (; left_over != 0 && at < capacity; left_over &= left_over - 1, ++at) {
      const int bit = __ffs(left_over) - 1, left = word * kWarp + bit;
      const bool is_below = (below >> bit & 1u) != 0;
      int right = left + 1;
      while (right < width &&
             (edge_word(mask, row_words, height, y, right / kWarp, is_below) >> (right % kWarp) & 1u) != 0) {
        ++right;
      }
      const std::size_t edge = first + at;
      edges[edge] = {left, right, y, is_below ? 1 : 0};
      corners[4 * edge] = left;
      corners[4 * edge + 2] = right;
      corners[4 * edge + 1] = corners[4 * edge + 3] = y;
      next[2 * edge + (is_below ? 0 : 1)] = 2 * at + (is_below ? 1 : 0);
    }
  }
}

// The vertical edges, each by the corner at its lower end. One thread a corner; masks in y.
__global__ void link_corners_kernel(const std::uint32_t* words, int height, int width, int row_words,
                                    const std::int32_t* starts, const std::int32_t* totals, int capacity,
                                    const Edge* edges, std::int32_t* next) {
  const int corner = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (totals[blockIdx.y] > capacity || corner >= 2 * totals[blockIdx.y]) return;
  const std::uint32_t* mask = words + static_cast<std::size_t>(blockIdx.y) * height * row_words;
  const std::int32_t* of_lines = starts + static_cast<std::size_t>(blockIdx.y) * (height + 1);
  const Edge* of_mask = edges + static_cast<std::size_t>(blockIdx.y) * capacity;
  const auto pixel = [&](int y, int x) { return is_inside(mask, row_words, height, width, y, x); };
  const Edge& edge = of_mask[corner / 2];
  const int x = corner % 2 == 0 ? edge.left : edge.right;
  const bool has_above = pixel(edge.y - 1, x - 1) != pixel(edge.y - 1, x);
  const bool has_below = pixel(edge.y, x - 1) != pixel(edge.y, x);
  // where both are there two pieces touch: the edge that has the mask below it takes the way up
  if (!has_above || (has_below && edge.is_below == 0)) return;
  int y = edge.y - 1;
  while (pixel(y - 1, x - 1) == pixel(y, x - 1) && pixel(y - 1, x) == pixel(y, x)) --y;
  std::int32_t low = of_lines[y], high = y == height ? totals[blockIdx.y] : of_lines[y + 1];
  while (low < high) {
    const std::int32_t middle = (low + high) / 2;
    if (of_mask[middle].left < x) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  // the edge that begins at x, or the one before it, which ends there; where both do, the one with the mask above
  const std::int32_t line_end = y == height ? totals[blockIdx.y] : of_lines[y + 1];
  const bool begins = low < line_end && of_mask[low].left == x, ends = low > of_lines[y] && of_mask[low - 1].right == x;
  const bool takes_begin = begins && !(ends && of_mask[low].is_below != 0);
  const std::int32_t other = takes_begin ? 2 * low : 2 * (low - 1) + 1;
  const bool is_head = (corner % 2 == 1) == (edge.is_below != 0);
  std::int32_t* links = next + 2 * static_cast<std::size_t>(blockIdx.y) * capacity;
  links[is_head ? corner : other] = is_head ? other : corner;
}

}  // namespace icseg::cuda
