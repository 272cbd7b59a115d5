// Masks drawn onto a frame.
#pragma once

#include <cstddef>
#include <cstdint>

namespace icseg {

struct OverlayStyle {
  std::uint8_t fill[3], outline[3];
  int alpha;  // of the fill, 0..256
  bool has_outline;
};

// Each mask in turn: pixels of the mask become (pixel * (256 - alpha) + fill * alpha) / 256, rounded down; then those
// with a neighbour outside above, below, left or right (beyond the image is outside) become the outline's colour.
// pixels: height x width RGB, rows `step` bytes apart, changed in place. masks: count x height x words_for(width).
void overlay(std::uint8_t* pixels, int height, int width, std::ptrdiff_t step, const std::uint32_t* masks, int count,
             const OverlayStyle* styles);

}  // namespace icseg
