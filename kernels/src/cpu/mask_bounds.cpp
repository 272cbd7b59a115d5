#include "icseg/mask_bounds.h"

#include <algorithm>

namespace icseg {

MaskBounds mask_bounds(const std::uint8_t* mask, std::size_t height, std::size_t width, std::ptrdiff_t row_stride) {
  std::int64_t area = 0;
  std::size_t left = width, right = 0, top = height, bottom = 0;
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* row = mask + static_cast<std::ptrdiff_t>(y) * row_stride;
    std::int64_t inside = 0;
    for (std::size_t x = 0; x < width; ++x) inside += row[x] != 0;  // no branch: the compiler vectorises it
    if (inside == 0) continue;
    area += inside;
    top = std::min(top, y);
    bottom = y + 1;
    // Most rows of a mask end inside the box found so far, so both scans stop after a few pixels.
    for (std::size_t x = 0; x < left; ++x) {
      if (row[x] != 0) left = x;
    }
    for (std::size_t x = width; x > right; --x) {
      if (row[x - 1] != 0) right = x;
    }
  }
  if (area == 0) return {0, 0, 0, 0, 0};
  return {area, static_cast<std::int64_t>(left), static_cast<std::int64_t>(top), static_cast<std::int64_t>(right),
          static_cast<std::int64_t>(bottom)};
}

}  // namespace icseg
