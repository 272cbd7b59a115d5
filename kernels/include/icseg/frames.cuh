// Camera frames: a network's input, masks drawn onto a picture, and masks of a byte a pixel; see icseg/preprocess.h,
// icseg/overlay.h and icseg/packing.h.
#pragma once

#include "icseg/half.cuh"
#include "icseg/preprocess.h"
#include "icseg/taps.cuh"
#include "icseg/yuv.h"

namespace icseg::cuda {

struct Rgb {
  int of[3];
};

__device__ inline int yuv_channel(std::int32_t sum) {
  const std::int32_t value = sum >> kYuvShift;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

__device__ inline Rgb rgb_of_yuv(int y, int u, int v) {
  const std::int32_t light = (y > 16 ? y - 16 : 0) * kYScale + (1 << (kYuvShift - 1));
  return {{yuv_channel(light + kVToR * (v - 128)), yuv_channel(light + kVToG * (v - 128) + kUToG * (u - 128)),
           yuv_channel(light + kUToB * (u - 128))}};
}

__device__ inline Rgb pixel_of(const FrameView& frame, int x, int y) {
  const std::uint8_t* row = frame.pixels + y * frame.step;
  switch (frame.encoding) {
    case Encoding::kRgb8:
      return {{row[3 * x], row[3 * x + 1], row[3 * x + 2]}};
    case Encoding::kBgr8:
      return {{row[3 * x + 2], row[3 * x + 1], row[3 * x]}};
    case Encoding::kRgba8:
      return {{row[4 * x], row[4 * x + 1], row[4 * x + 2]}};
    case Encoding::kNv12: {
      const std::uint8_t* chroma = frame.pixels + (frame.height + y / 2) * frame.step;
      return rgb_of_yuv(row[x], chroma[x & ~1], chroma[x | 1]);
    }
    case Encoding::kYuyv: {
      const std::uint8_t* pair = row + 2 * (x & ~1);
      return rgb_of_yuv(row[2 * x], pair[1], pair[3]);
    }
  }
  return {{0, 0, 0}};
}

__device__ inline void put(float* place, float value) { *place = value; }
__device__ inline void put(std::uint16_t* place, float value) { *place = half_bits(value); }

struct Normalisation {
  float scale[3], shift[3];
};

// One thread a pixel of the planes; block: 32 x 8.
template <typename Value>
__global__ void preprocess_kernel(FrameView frame, Placement placement, AxisMap columns, AxisMap rows,
                                  Normalisation normalisation, Value* planes) {
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
  if (x >= placement.planes_w || y >= placement.planes_h) return;
  const std::size_t plane = static_cast<std::size_t>(placement.planes_h) * placement.planes_w;
  Value* place = planes + static_cast<std::size_t>(y) * placement.planes_w + x;
  const int in_x = x - placement.x0, in_y = y - placement.y0;
  if (in_x < 0 || in_y < 0 || in_x >= placement.width || in_y >= placement.height) {
    for (int channel = 0; channel < 3; ++channel) put(place + channel * plane, normalisation.shift[channel]);
    return;
  }
  const Tap column = tap_of(columns, in_x), row = tap_of(rows, in_y);
  const Rgb corners[4] = {pixel_of(frame, column.left, row.left), pixel_of(frame, column.right, row.left),
                          pixel_of(frame, column.left, row.right), pixel_of(frame, column.right, row.right)};
  for (int channel = 0; channel < 3; ++channel) {
    float along[2];
    for (int line = 0; line < 2; ++line) {
      const auto left = static_cast<float>(corners[2 * line].of[channel]);
      const auto right = static_cast<float>(corners[2 * line + 1].of[channel]);
      along[line] = mixed(left, right, column.weight) * normalisation.scale[channel] + normalisation.shift[channel];
    }
    put(place + channel * plane, mixed(along[0], along[1], row.weight));
  }
}

struct Style {
  std::uint8_t fill[3], outline[3];
  std::int32_t alpha, has_outline;
};

// One thread a pixel; block: 32 x 8.
__global__ void overlay_kernel(std::uint8_t* pixels, int height, int width, std::int64_t step,
                               const std::uint32_t* masks, int count, int row_words, const Style* styles) {
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
  if (x >= width || y >= height) return;
  std::uint8_t* pixel = pixels + y * step + 3 * x;
  for (int n = 0; n < count; ++n) {
    const std::uint32_t* mask = masks + static_cast<std::size_t>(n) * height * row_words;
    const auto inside = [&](int at_x, int at_y) {
      return at_x >= 0 && at_y >= 0 && at_x < width && at_y < height &&
             (mask[static_cast<std::size_t>(at_y) * row_words + at_x / kWarp] >> (at_x % kWarp) & 1u) != 0;
    };
    if (!inside(x, y)) continue;
    const Style& style = styles[n];
    const bool is_edge = style.has_outline != 0 && !(inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) &&
                                                     inside(x, y + 1));
    for (int channel = 0; channel < 3; ++channel) {
      const int blended = (pixel[channel] * (256 - style.alpha) + style.fill[channel] * style.alpha) >> 8;
      pixel[channel] = static_cast<std::uint8_t>(is_edge ? style.outline[channel] : blended);
    }
  }
}

// grid: words of a row, ceil(height / 8), masks; block: 32 x 8.
__global__ void pack_kernel(const std::uint8_t* bytes, int height, int width, std::uint32_t* words) {
  const int x = static_cast<int>(blockIdx.x * kWarp + threadIdx.x);
  const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
  if (y >= height) return;  // the same for all lanes of a warp
  const std::size_t row = static_cast<std::size_t>(blockIdx.z) * height + y;
  const std::uint32_t word = __ballot_sync(kAllLanes, x < width && bytes[row * width + x] != 0);
  if (threadIdx.x == 0) words[row * gridDim.x + blockIdx.x] = word;
}

__global__ void unpack_kernel(const std::uint32_t* words, int height, int width, std::uint8_t* bytes) {
  const int x = static_cast<int>(blockIdx.x * kWarp + threadIdx.x);
  const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
  if (x >= width || y >= height) return;
  const std::size_t row = static_cast<std::size_t>(blockIdx.z) * height + y;
  bytes[row * width + x] = static_cast<std::uint8_t>(words[row * gridDim.x + blockIdx.x] >> threadIdx.x & 1u);
}

}  // namespace icseg::cuda
