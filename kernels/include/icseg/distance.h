// The point of a mask that is farthest from its edge.
#pragma once

#include <cstdint>

namespace icseg {

struct DistancePeak {
  std::int32_t x, y;       // pixel; -1, -1 when the mask is empty
  std::int64_t distance2;  // squared Euclidean distance to the centre of the nearest pixel outside
};

// All that is beyond the image counts as outside. Of several such pixels, the first in row order.
DistancePeak distance_peak(const std::uint32_t* words, int height, int width);

}  // namespace icseg
