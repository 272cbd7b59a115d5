// Sets of cells joined by many threads at once: every cell points to one of its set with a lower number, the root to itself.
#pragma once

#include "icseg/cuda_platform.cuh"

namespace icseg::cuda {

__device__ inline std::int32_t root_of(const std::int32_t* parents, std::int32_t cell) {
  for (;;) {
    const std::int32_t parent = load_relaxed(parents + cell);
    if (parent == cell) return cell;
    cell = parent;
  }
}

// Whoever loses the race for a root finds the root's new parent in the old value, and goes on from there.
__device__ inline void unite(std::int32_t* parents, std::int32_t a, std::int32_t b) {
  for (;;) {
    a = root_of(parents, a);
    b = root_of(parents, b);
    if (a == b) return;
    if (a < b) {
      const std::int32_t swap = a;
      a = b;
      b = swap;
    }
    if (ICSEG_SEEDED_BUG("a union by a plain store")) {
      parents[a] = b;
      return;
    }
    const std::int32_t old = atomicMin(parents + a, b);
    if (old == a || ICSEG_SEEDED_BUG("a union that does not retry")) return;
    a = old;
  }
}

}  // namespace icseg::cuda
