// The outlines of a mask as polygons on the corners of pixels: their signed areas add up to the mask's area, and filling
// them gives the mask back.
#pragma once

#include <cstdint>
#include <vector>

namespace icseg {

struct Contours {
  std::vector<std::int32_t> xy;    // two numbers a corner
  std::vector<std::int32_t> ends;  // of each polygon, in corners
};

// Mask on the right-hand side: outer outlines run clockwise as seen in the image, holes the other way. Pixels that only
// touch at a corner are on one outline (8-connected). A polygon begins at its first corner in row order, and so are the
// polygons ordered; no three corners in a row lie on a line.
Contours contours(const std::uint32_t* words, int height, int width);

}  // namespace icseg
