#include "icseg/overlap.h"

#include <algorithm>
#include <numeric>

#include "icseg/bits.h"
#include "icseg/statistics.h"
#include "row_kernels.h"

namespace icseg {
namespace {

// The pixels in both, looked for only where the boxes meet.
std::int64_t intersection_of(const std::uint32_t* a, const MaskStatistics& of_a, const std::uint32_t* b,
                             const MaskStatistics& of_b, int row_words) {
  const std::int64_t x0 = std::max(of_a.x0, of_b.x0), x1 = std::min(of_a.x1, of_b.x1);
  const std::int64_t y0 = std::max(of_a.y0, of_b.y0), y1 = std::min(of_a.y1, of_b.y1);
  if (x0 >= x1 || y0 >= y1) return 0;
  const std::int64_t first = x0 / kWordBits, words = (x1 + kWordBits - 1) / kWordBits - first;
  const RowKernels& kernels = row_kernels();
  std::int64_t count = 0;
  for (std::int64_t y = y0; y < y1; ++y) {
    count += kernels.intersection(a + y * row_words + first, b + y * row_words + first, words);
  }
  return count;
}

std::vector<MaskStatistics> statistics_of(const std::uint32_t* masks, int count, int height, int width) {
  const std::int64_t mask_words = static_cast<std::int64_t>(height) * words_for(width);
  std::vector<MaskStatistics> all(count);
  for (int n = 0; n < count; ++n) all[n] = mask_statistics(masks + n * mask_words, height, width);
  return all;
}

}  // namespace

double iou_of(std::int64_t intersection, std::int64_t area_a, std::int64_t area_b) {
  const std::int64_t together = area_a + area_b - intersection;
  return together == 0 ? 0.0 : static_cast<double>(intersection) / static_cast<double>(together);
}

void mask_intersections(const std::uint32_t* a, int count_a, const std::uint32_t* b, int count_b, int height,
                        int width, std::int64_t* intersections, std::int64_t* areas_a, std::int64_t* areas_b) {
  const int row_words = words_for(width);
  const std::int64_t mask_words = static_cast<std::int64_t>(height) * row_words;
  const auto of_a = statistics_of(a, count_a, height, width), of_b = statistics_of(b, count_b, height, width);
  for (int i = 0; i < count_a; ++i) areas_a[i] = of_a[i].area;
  for (int j = 0; j < count_b; ++j) areas_b[j] = of_b[j].area;
  for (int i = 0; i < count_a; ++i) {
    for (int j = 0; j < count_b; ++j) {
      intersections[static_cast<std::int64_t>(i) * count_b + j] =
          intersection_of(a + i * mask_words, of_a[i], b + j * mask_words, of_b[j], row_words);
    }
  }
}

std::vector<std::int32_t> mask_nms(const std::uint32_t* masks, const float* scores, int count, int height, int width,
                                   double max_iou) {
  const int row_words = words_for(width);
  const std::int64_t mask_words = static_cast<std::int64_t>(height) * row_words;
  const auto all = statistics_of(masks, count, height, width);
  std::vector<std::int32_t> order(count), kept;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return scores[a] > scores[b]; });
  for (const std::int32_t n : order) {
    const bool is_known = std::any_of(kept.begin(), kept.end(), [&](std::int32_t k) {
      const std::int64_t both =
          intersection_of(masks + n * mask_words, all[n], masks + k * mask_words, all[k], row_words);
      return iou_of(both, all[n].area, all[k].area) > max_iou;
    });
    if (!is_known) kept.push_back(n);
  }
  return kept;
}

}  // namespace icseg
