// BT.601 video-range YUV to RGB in fixed point of 20 bits: the coefficients of OpenCV's cvtColor.
#pragma once

#include <cstdint>

namespace icseg {

constexpr int kYuvShift = 20;
constexpr std::int32_t kYScale = 1220542, kUToB = 2116026, kUToG = -409993, kVToG = -852492, kVToR = 1673527;

}  // namespace icseg
