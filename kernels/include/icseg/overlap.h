// How much bit masks have in common.
#pragma once

#include <cstdint>
#include <vector>

namespace icseg {

// intersections[i * count_b + j]: pixels in both mask i of a and mask j of b; areas of each. All of height x width.
void mask_intersections(const std::uint32_t* a, int count_a, const std::uint32_t* b, int count_b, int height,
                        int width, std::int64_t* intersections, std::int64_t* areas_a, std::int64_t* areas_b);

// Intersection over union, 0 when the union is empty.
double iou_of(std::int64_t intersection, std::int64_t area_a, std::int64_t area_b);

// Greedy non-maximum suppression: by falling score, the first of equal ones first, a mask is kept unless its IoU with
// one kept before exceeds the limit. Returns the numbers of the masks kept, in that order.
std::vector<std::int32_t> mask_nms(const std::uint32_t* masks, const float* scores, int count, int height, int width,
                                   double max_iou);

}  // namespace icseg
