#include "icseg/distance.h"

#include <algorithm>
#include <vector>

#include "icseg/bits.h"
#include "icseg/statistics.h"

namespace icseg {

// Distances along columns come from one sweep down and one up. The full distance of a pixel is looked for outwards along
// its row, and only as long as it can still beat the best so far: most pixels stop at once, and those nearer than that
// to an end of their run are not looked at.
DistancePeak distance_peak(const std::uint32_t* words, int height, int width) {
  const MaskStatistics mask = mask_statistics(words, height, width);
  if (mask.area == 0) return {-1, -1, 0};
  const int row_words = words_for(width);
  // the box of the mask with one pixel of outside around it
  const int w = static_cast<int>(mask.x1 - mask.x0) + 2, h = static_cast<int>(mask.y1 - mask.y0) + 2;
  std::vector<std::int32_t> up(static_cast<std::size_t>(w) * h, 0);
  for (int y = 1; y < h - 1; ++y) {
    const std::uint32_t* row = words + (mask.y0 + y - 1) * row_words;
    std::int32_t* now = &up[static_cast<std::size_t>(y) * w];
    for_each_run(row, row_words, [&](int begin, int end) {
      for (int x = begin - static_cast<int>(mask.x0) + 1; x < end - mask.x0 + 1; ++x) now[x] = now[x - w] + 1;
    });
  }
  for (int y = h - 2; y > 0; --y) {
    std::int32_t* now = &up[static_cast<std::size_t>(y) * w];
    for (int x = 1; x < w - 1; ++x) now[x] = std::min(now[x], now[x + w] + 1);
  }
  DistancePeak peak{-1, -1, 0};
  std::int64_t radius = 0;  // whole pixels of the best distance so far
  for (int y = 1; y < h - 1; ++y) {
    const std::int32_t* now = &up[static_cast<std::size_t>(y) * w];
    for_each_run(words + (mask.y0 + y - 1) * row_words, row_words, [&](int begin, int end) {
      const std::int64_t first = begin - mask.x0 + 1, last = end - mask.x0 + 1;
      for (std::int64_t x = first + radius; x < last - radius; ++x) {
        std::int64_t least = static_cast<std::int64_t>(now[x]) * now[x];
        for (std::int64_t off = 1; least > peak.distance2 && off * off < least; ++off) {
          const std::int64_t left = now[x - off], right = now[x + off];
          least = std::min({least, off * off + left * left, off * off + right * right});
        }
        if (least <= peak.distance2) continue;
        peak = {static_cast<std::int32_t>(mask.x0 + x - 1), static_cast<std::int32_t>(mask.y0 + y - 1), least};
        while ((radius + 1) * (radius + 1) <= least) ++radius;
      }
    });
  }
  return peak;
}

}  // namespace icseg
