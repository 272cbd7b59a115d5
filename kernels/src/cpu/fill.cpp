#include "icseg/fill.h"

#include <algorithm>
#include <vector>

#include "icseg/bits.h"
#include "icseg/components.h"
#include "row_kernels.h"

namespace icseg {
namespace {

void overwrite_small(const std::uint32_t* words, int height, int width, std::int64_t max_area, float value,
                     float* cleaned) {
  const Components found(words, height, width, 8);
  for (const Run& run : found.runs()) {
    if (found.components()[run.component].area > max_area) continue;
    float* row = cleaned + static_cast<std::int64_t>(run.row) * width;
    std::fill(row + run.begin, row + run.end, value);
  }
}

}  // namespace

void clean_logits(const float* logits, int height, int width, const CleanLimits& limits, float* cleaned) {
  std::copy(logits, logits + static_cast<std::int64_t>(height) * width, cleaned);
  const int count = words_for(width);
  const RowKernels& kernels = row_kernels();
  std::vector<std::uint32_t> inside(static_cast<std::size_t>(height) * count), outside(inside.size());
  for (int y = 0; y < height; ++y) {
    const float* row = logits + static_cast<std::int64_t>(y) * width;
    const std::size_t start = static_cast<std::size_t>(y) * count;
    kernels.compare(row, width, limits.threshold, limits.threshold, &inside[start], &outside[start]);
  }
  if (limits.hole_area > 0) {
    overwrite_small(outside.data(), height, width, limits.hole_area, limits.hole_value, cleaned);
  }
  if (limits.sprinkle_area > 0) {
    overwrite_small(inside.data(), height, width, limits.sprinkle_area, limits.sprinkle_value, cleaned);
  }
}

}  // namespace icseg
