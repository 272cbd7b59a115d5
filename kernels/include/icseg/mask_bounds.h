// Area and tight box of a byte mask in one pass. Raw pointers; allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace icseg {

// Exclusive right and lower edges, in pixels. All zero when the mask is empty.
struct MaskBounds {
  std::int64_t area_px;
  std::int64_t x0, y0, x1, y1;
};

// mask: height x width bytes, 0 = outside, anything else = inside; rows are `row_stride` bytes apart.
MaskBounds mask_bounds(const std::uint8_t* mask, std::size_t height, std::size_t width, std::ptrdiff_t row_stride);

}  // namespace icseg
