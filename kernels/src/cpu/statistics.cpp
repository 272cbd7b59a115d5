#include "icseg/statistics.h"

#include <algorithm>

#include "icseg/bits.h"
#include "row_kernels.h"

namespace icseg {

MaskStatistics mask_statistics(const std::uint32_t* words, int height, int width) {
  const int count = words_for(width);
  const RowKernels& kernels = row_kernels();
  MaskStatistics mask{};
  int left = count * kWordBits, right = 0;
  for (int y = 0; y < height; ++y) {
    const std::uint32_t* row = words + static_cast<std::int64_t>(y) * count;
    int first = 0, last = count;
    while (first < count && row[first] == 0) ++first;
    if (first == count) continue;
    while (row[last - 1] == 0) --last;
    if (mask.area == 0) mask.y0 = y;
    mask.y1 = y + 1;
    left = std::min(left, first * kWordBits + lowest_bit(row[first]));
    right = std::max(right, (last - 1) * kWordBits + highest_bit(row[last - 1]) + 1);
    add_row(mask, kernels.row_sums(row, first, last), y);
  }
  if (mask.area != 0) {
    mask.x0 = left;
    mask.x1 = right;
  }
  mask.area_above = mask.area_below = mask.area;
  return mask;
}

}  // namespace icseg
