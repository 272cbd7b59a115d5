// What every launcher needs: the checks that all share, and slices of a workspace.
#pragma once

#include <cstddef>

#include "icseg/bits.h"
#include "icseg/block_sums.cuh"
#include "icseg/cuda.h"

namespace icseg::cuda {

constexpr int kLongestSide = 65536, kMostMasks = 65535;

inline bool is_batch(int count, int height, int width) {
  return count >= 0 && count <= kMostMasks && height > 0 && width > 0 && height <= kLongestSide &&
         width <= kLongestSide && static_cast<std::int64_t>(height) * width < (std::int64_t{1} << 31);
}

inline int status() { return static_cast<int>(cudaPeekAtLastError()); }

inline cudaStream_t stream_of(icseg_stream stream) { return static_cast<cudaStream_t>(stream); }

// Hands out a workspace piece by piece; counts what it would take when there is none.
class Pieces {
 public:
  explicit Pieces(void* workspace) : start_(static_cast<char*>(workspace)) {}

  template <typename Value>
  Value* take(std::size_t count) {
    auto* piece = start_ == nullptr ? nullptr : reinterpret_cast<Value*>(start_ + used_);
    used_ += (count * sizeof(Value) + 15) / 16 * 16;
    return piece;
  }
  std::size_t used() const { return used_; }

 private:
  char* start_;
  std::size_t used_ = 0;
};

}  // namespace icseg::cuda
