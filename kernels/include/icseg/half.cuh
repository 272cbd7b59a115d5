// IEEE 754 half as its bits: what engines give and take. Values are worked on as float.
#pragma once

#include "icseg/cuda_platform.cuh"

namespace icseg::cuda {

// Round to nearest even; the values here are finite and small.
__host__ __device__ inline std::uint16_t half_bits(float value) {
  union {
    float value;
    std::uint32_t bits;
  } whole = {value};
  const std::uint32_t sign = whole.bits >> 16 & 0x8000u, magnitude = whole.bits & 0x7fffffffu;
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    whole.bits = magnitude;
    whole.value += 0.5f;  // the addition rounds at the place where a subnormal half ends
    return static_cast<std::uint16_t>(sign | (whole.bits - 0x3f000000u));
  }
  return static_cast<std::uint16_t>(sign | (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13);
}

__device__ inline float number_of(float value) { return value; }
__device__ inline float number_of(std::uint16_t bits) { return float_of_half(bits); }

}  // namespace icseg::cuda
