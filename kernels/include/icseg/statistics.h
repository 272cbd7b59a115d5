// What is read off a bit mask: area, tight box, sums for the centroid and the second moments, all exact integers.
#pragma once

#include <cstdint>

namespace icseg {

// Of one mask; a box has exclusive right and lower edges and is all zero when the mask is empty. The sums are over the
// column and row numbers of its pixels. area_above and area_below are the areas at the threshold plus and minus the
// stability offset; where no logits were looked at they equal the area.
struct MaskStatistics {
  std::int64_t area, x0, y0, x1, y1;
  std::int64_t sum_x, sum_y, sum_xx, sum_xy, sum_yy;
  std::int64_t area_above, area_below;
};
constexpr int kStatisticsFields = 12;
static_assert(sizeof(MaskStatistics) == kStatisticsFields * sizeof(std::int64_t), "read as rows of int64");

// Of one row of a mask: pixels, sum of their columns, sum of the squares of their columns.
struct RowSums {
  std::int64_t count, sum_x, sum_xx;
};

// The sums of a run of pixels [begin, end) of a row.
inline RowSums run_sums(std::int64_t begin, std::int64_t end) {
  const auto below = [](std::int64_t n) { return RowSums{n, n * (n - 1) / 2, (n - 1) * n * (2 * n - 1) / 6}; };
  const RowSums upto = below(end), before = below(begin);
  return {upto.count - before.count, upto.sum_x - before.sum_x, upto.sum_xx - before.sum_xx};
}

// Adds row y to the sums of a mask; the box is not touched.
inline void add_row(MaskStatistics& mask, const RowSums& row, std::int64_t y) {
  mask.area += row.count;
  mask.sum_x += row.sum_x;
  mask.sum_xx += row.sum_xx;
  mask.sum_y += y * row.count;
  mask.sum_yy += y * y * row.count;
  mask.sum_xy += y * row.sum_x;
}

// words: height rows of words_for(width) words.
MaskStatistics mask_statistics(const std::uint32_t* words, int height, int width);

}  // namespace icseg
