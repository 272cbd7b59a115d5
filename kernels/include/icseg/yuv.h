// BT.601 video-range YUV to RGB in fixed point of 20 bits, as OpenCV's cvtColor does. Source: color_yuv of OpenCV imgproc.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define ICSEG_HOST_DEVICE __host__ __device__
#else
#define ICSEG_HOST_DEVICE
#endif

namespace icseg {

constexpr int kYuvShift = 20;
constexpr std::int32_t kYScale = 1220542, kUToB = 2116026, kUToG = -409993, kVToG = -852492, kVToR = 1673527;

ICSEG_HOST_DEVICE inline std::uint32_t yuv_channel(std::int32_t sum) {
  const std::int32_t value = sum >> kYuvShift;
  return static_cast<std::uint32_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// One pixel as a word, red lowest.
ICSEG_HOST_DEVICE inline std::uint32_t rgbx_of_yuv(std::int32_t y, std::int32_t u, std::int32_t v) {
  constexpr std::int32_t half = 1 << (kYuvShift - 1);
  const std::int32_t light = (y > 16 ? y - 16 : 0) * kYScale + half;
  u -= 128;
  v -= 128;
  const std::uint32_t red = yuv_channel(light + kVToR * v);
  const std::uint32_t green = yuv_channel(light + kVToG * v + kUToG * u);
  const std::uint32_t blue = yuv_channel(light + kUToB * u);
  return red | green << 8 | blue << 16;
}

}  // namespace icseg
