// Where an output pixel of a bilinear resize looks in its input; see icseg::Axis in icseg/upsample.h.
#pragma once

#include "icseg/cuda_platform.cuh"

namespace icseg::cuda {

// Position (i + 0.5) * scale + shift, between 0 and last.
struct AxisMap {
  float scale, shift, last;
};

struct Tap {
  int left, right;
  float weight;
};

__device__ inline Tap tap_of(const AxisMap& axis, int i) {
  const float scaled = (static_cast<float>(i) + 0.5f) * axis.scale;
  float position = scaled + axis.shift;
  position = position < 0.0f ? 0.0f : position > axis.last ? axis.last : position;
  const int left = static_cast<int>(position);
  const bool is_last = left >= static_cast<int>(axis.last) && !ICSEG_SEEDED_BUG("reads one cell past the row");
  return {left, is_last ? left : left + 1, position - static_cast<float>(left)};
}

// Compiled without fused multiply-add: the same rounding as numpy and the CPU.
__device__ inline float mixed(float first, float second, float weight) {
  return first * (1.0f - weight) + second * weight;
}

}  // namespace icseg::cuda
