// Operations on mask logits: the clean-up of SAM 2, and masks at the camera's size.
#include <nanobind/stl/tuple.h>

#include <cmath>
#include <tuple>
#include <vector>

#include "arrays.h"
#include "icseg/bits.h"
#include "icseg/fill.h"
#include "icseg/packing.h"
#include "icseg/upsample.h"

namespace icseg::bindings {
namespace {

using Statistics = nb::ndarray<nb::numpy, std::int64_t>;
using Region = std::tuple<double, double, double, double>;

AnyArray logits_of(nb::handle mask_logits) {
  AnyArray array = array_of<float>(mask_logits, "mask_logits", "float32 (N, h, w)", 3);
  check_size("mask_logits", static_cast<std::int64_t>(array.shape(1)), static_cast<std::int64_t>(array.shape(2)), 1);
  return array;
}

void check_area(const char* name, std::int64_t area) {
  if (area < 0) value_error(std::string(name) + ": expected at least 0 cells, got " + std::to_string(area));
}

nb::ndarray<nb::numpy, float> clean(nb::handle mask_logits, std::int64_t max_hole_px, float hole_value,
                                    std::int64_t max_sprinkle_px, float sprinkle_value, float threshold) {
  const AnyArray logits = logits_of(mask_logits);
  check_area("max_hole_px", max_hole_px);
  check_area("max_sprinkle_px", max_sprinkle_px);
  check_finite("threshold", threshold);
  const CleanLimits limits{threshold, max_hole_px, hole_value, max_sprinkle_px, sprinkle_value};
  const int height = static_cast<int>(logits.shape(1)), width = static_cast<int>(logits.shape(2));
  auto cleaned = new_array<float>({logits.shape(0), logits.shape(1), logits.shape(2)});
  nb::gil_scoped_release release;
  for (std::size_t n = 0; n < logits.shape(0); ++n) {
    const std::size_t start = n * height * width;
    clean_logits(data_of<float>(logits) + start, height, width, limits, cleaned.data() + start);
  }
  return cleaned;
}

struct Upsampling {
  AnyArray logits;
  UpsampleShape shape;
};

Upsampling checked(nb::handle mask_logits, int height, int width, const Region& region, float threshold,
                   float stability_offset) {
  AnyArray logits = logits_of(mask_logits);
  check_size("hw", height, width, 1);
  check_finite("threshold", threshold);
  if (!(stability_offset >= 0) || !std::isfinite(stability_offset)) {
    value_error("stability_offset: expected at least 0, got " + std::to_string(stability_offset));
  }
  const auto [x0, y0, x1, y1] = region;
  for (const double edge : {x0, y0, x1, y1}) check_finite("region_cells", edge);
  if (!(x1 > x0 && y1 > y0)) value_error("region_cells: expected x1 > x0 and y1 > y0");
  const UpsampleShape shape{static_cast<int>(logits.shape(1)), static_cast<int>(logits.shape(2)), height, width,
                            x0, y0, x1, y1};
  return {std::move(logits), shape};
}

std::tuple<nb::ndarray<nb::numpy, std::uint32_t>, Statistics> upsample_bits(nb::handle mask_logits, int height,
                                                                            int width, const Region& region,
                                                                            float threshold, float stability_offset,
                                                                            bool is_exclusive) {
  const auto [logits, shape] = checked(mask_logits, height, width, region, threshold, stability_offset);
  const std::size_t count = logits.shape(0);
  auto words = new_array<std::uint32_t>(
      {count, static_cast<std::size_t>(height), static_cast<std::size_t>(words_for(width))});
  auto statistics = new_array<std::int64_t>({count, kStatisticsFields});
  nb::gil_scoped_release release;
  upsample_threshold(data_of<float>(logits), static_cast<int>(count), shape, threshold, stability_offset, is_exclusive,
                     words.data(), reinterpret_cast<MaskStatistics*>(statistics.data()));
  return {words, statistics};
}

std::tuple<nb::ndarray<nb::numpy, bool>, Statistics> upsample(nb::handle mask_logits, int height, int width,
                                                              const Region& region, float threshold,
                                                              float stability_offset, bool is_exclusive) {
  const auto [logits, shape] = checked(mask_logits, height, width, region, threshold, stability_offset);
  const std::size_t count = logits.shape(0), mask_words = static_cast<std::size_t>(height) * words_for(width);
  auto masks = new_array<bool>({count, static_cast<std::size_t>(height), static_cast<std::size_t>(width)});
  auto statistics = new_array<std::int64_t>({count, kStatisticsFields});
  nb::gil_scoped_release release;
  std::vector<std::uint32_t> words(count * mask_words);
  upsample_threshold(data_of<float>(logits), static_cast<int>(count), shape, threshold, stability_offset, is_exclusive,
                     words.data(), reinterpret_cast<MaskStatistics*>(statistics.data()));
  for (std::size_t n = 0; n < count; ++n) {
    unpack_mask(words.data() + n * mask_words, height, width,
                reinterpret_cast<std::uint8_t*>(masks.data()) + n * height * width);
  }
  return {masks, statistics};
}

}  // namespace

void add_logit_operations(nb::module_& module) {
  module.def("clean_logits", &clean, nb::arg("mask_logits"), nb::arg("max_hole_px"), nb::arg("hole_value"),
             nb::arg("max_sprinkle_px"), nb::arg("sprinkle_value"), nb::arg("threshold"));
  module.def("upsample_threshold_bits", &upsample_bits, nb::arg("mask_logits"), nb::arg("height"), nb::arg("width"),
             nb::arg("region_cells"), nb::arg("threshold"), nb::arg("stability_offset"), nb::arg("is_exclusive"));
  module.def("upsample_threshold", &upsample, nb::arg("mask_logits"), nb::arg("height"), nb::arg("width"),
             nb::arg("region_cells"), nb::arg("threshold"), nb::arg("stability_offset"), nb::arg("is_exclusive"));
}

}  // namespace icseg::bindings
