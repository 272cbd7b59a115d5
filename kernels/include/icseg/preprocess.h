// From a camera's frame to a network's input: colours decoded, resized, normalised, one plane a channel.
#pragma once

#include <cstddef>
#include <cstdint>

namespace icseg {

enum class Encoding : std::int32_t { kRgb8, kBgr8, kRgba8, kNv12, kYuyv };

// Bytes of a row of the frame without padding; NV12 has height rows of Y, then height / 2 of interleaved U and V.
constexpr int row_bytes(Encoding encoding, int width) {
  switch (encoding) {
    case Encoding::kRgb8:
    case Encoding::kBgr8:
      return 3 * width;
    case Encoding::kRgba8:
      return 4 * width;
    case Encoding::kNv12:
      return width;
    case Encoding::kYuyv:
      return 2 * width;
  }
  return 0;
}
constexpr int stored_rows(Encoding encoding, int height) {
  return encoding == Encoding::kNv12 ? height + height / 2 : height;
}

struct FrameView {
  const std::uint8_t* pixels;
  int height, width;
  std::ptrdiff_t step;  // bytes from one row to the next
  Encoding encoding;
};

// Where the picture goes in the planes: a rectangle; the rest (letterbox) gets the value that 0 has after normalising.
struct Placement {
  int planes_h, planes_w;
  int x0, y0, height, width;
};

// Bilinear, half-pixel centres, no antialiasing. Each channel value v, 0..255, becomes v * scale + shift. BT.601, video
// range, for NV12 and YUYV, with OpenCV's fixed-point coefficients. planes: 3 x planes_h x planes_w FP32 or FP16 bits. threads: bands of rows, each done by
// a thread of this call; the values do not depend on it.
void preprocess(const FrameView& frame, const Placement& placement, const float scale[3], const float shift[3],
                float* planes, int threads = 1);
void preprocess(const FrameView& frame, const Placement& placement, const float scale[3], const float shift[3],
                std::uint16_t* planes, int threads = 1);

}  // namespace icseg
