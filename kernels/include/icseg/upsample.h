// From low-resolution logits to masks at the camera's size with everything that is read off them, in one pass.
#pragma once

#include <cstdint>
#include <vector>

#include "icseg/statistics.h"

namespace icseg {

// One axis of a bilinear resize with half-pixel centres (PyTorch's align_corners=False): output pixel i looks at
// position (i + 0.5) * span / count + origin - 0.5, between two cells, the edge's own cell beyond the edge.
struct Axis {
  // cells: length of the input. The output shows cells origin .. origin + span in `count` pixels.
  Axis(int cells, double origin, double span, int count);

  std::vector<std::int32_t> left, right;
  std::vector<float> weight;  // of the right cell; the left one has 1 - weight
};

struct UpsampleShape {
  int cells_h, cells_w;  // of the logits
  int height, width;     // of the mask
  double x0, y0, x1, y1;  // the part of the logits that the mask shows, in cells: 0, 0, cells_w, cells_h for all of it
};

// Masks of `count` objects: value > threshold, where the value is interpolated along the row, then between rows.
// is_exclusive: a pixel that several masks hold stays with the first of the highest value.
// words: count x height x words_for(width). The statistics' area_above and area_below are of each object alone, at
// threshold +- stability_offset.
void upsample_threshold(const float* logits, int count, const UpsampleShape& shape, float threshold,
                        float stability_offset, bool is_exclusive, std::uint32_t* words, MaskStatistics* statistics);

}  // namespace icseg
