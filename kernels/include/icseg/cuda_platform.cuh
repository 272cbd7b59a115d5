// What the kernels are written against: CUDA, or its emulation on the host (kernels/tests/emulation) where the same
// sources are compiled as C++ to be tested without a GPU. C++ that CUDA 12.6 takes.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)

#include <cuda_runtime.h>

// A shared array of a fixed size.
#define ICSEG_SHARED(type, name, count) __shared__ type name[count]
#define ICSEG_LAUNCH(kernel, grid, block, stream, ...) kernel<<<grid, block, 0, stream>>>(__VA_ARGS__)
// A typical mistake that the emulation's tests switch on to show that they find it.
#define ICSEG_SEEDED_BUG(name) false

namespace icseg::cuda {

// Memory that other threads change with atomics meanwhile.
__device__ inline std::int32_t load_relaxed(const std::int32_t* from) {
  return *static_cast<const volatile std::int32_t*>(from);
}
__device__ inline unsigned long long load_relaxed(const unsigned long long* from) {
  return *static_cast<const volatile unsigned long long*>(from);
}

__device__ inline float float_of_half(std::uint16_t bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

// How many took one before; whoever takes the last sees all that the others wrote before they took theirs.
__device__ inline unsigned take_ticket(unsigned* tickets) {
  __threadfence();
  const unsigned before = atomicAdd(tickets, 1u);
  __threadfence();
  return before;
}

}  // namespace icseg::cuda

#else

#include "cuda_emulation.h"

#endif

namespace icseg::cuda {

using Counter = unsigned long long;  // what atomicAdd takes for 64 bits

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

constexpr int blocks_for(long long count, int per_block) { return static_cast<int>((count + per_block - 1) / per_block); }

}  // namespace icseg::cuda
