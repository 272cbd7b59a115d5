// Operations on masks: packing, statistics, components, distance, overlap, run lengths, contours.
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <tuple>

#include "arrays.h"
#include "icseg/bits.h"
#include "icseg/components.h"
#include "icseg/contours.h"
#include "icseg/distance.h"
#include "icseg/mask_bounds.h"
#include "icseg/overlap.h"
#include "icseg/packing.h"
#include "icseg/rle.h"
#include "icseg/statistics.h"

namespace icseg::bindings {
namespace {

template <typename Value>
using NewArray = nb::ndarray<nb::numpy, Value>;

void check_connectivity(int connectivity) {
  if (connectivity != 4 && connectivity != 8) {
    value_error("connectivity: expected 4 or 8, got " + std::to_string(connectivity));
  }
}

std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t> bounds(nb::handle mask) {
  const AnyArray array = array_of<bool>(mask, "mask", "bool (H, W)", 2);
  check_size("mask", static_cast<std::int64_t>(array.shape(0)), static_cast<std::int64_t>(array.shape(1)), 0);
  MaskBounds found;
  {
    nb::gil_scoped_release release;
    found = mask_bounds(data_of<std::uint8_t>(array), array.shape(0), array.shape(1),
                        static_cast<std::ptrdiff_t>(array.shape(1)));
  }
  return {found.area_px, found.x0, found.y0, found.x1, found.y1};
}

NewArray<std::uint32_t> pack(nb::handle masks) {
  const AnyArray array = array_of<bool>(masks, "masks", "bool (N, H, W)", 3);
  check_size("masks", static_cast<std::int64_t>(array.shape(1)), static_cast<std::int64_t>(array.shape(2)), 0);
  const std::size_t count = array.shape(0);
  const int height = static_cast<int>(array.shape(1)), width = static_cast<int>(array.shape(2));
  const auto row_words = static_cast<std::size_t>(words_for(width));
  auto words = new_array<std::uint32_t>({count, array.shape(1), row_words});
  nb::gil_scoped_release release;
  for (std::size_t n = 0; n < count; ++n) {
    pack_mask(data_of<std::uint8_t>(array) + n * height * width, height, width, words.data() + n * height * row_words);
  }
  return words;
}

NewArray<bool> unpack(nb::handle words, int width) {
  const BitMasks masks = bit_masks(words, width, "words");
  auto bytes = new_array<bool>(
      {static_cast<std::size_t>(masks.count), static_cast<std::size_t>(masks.height), static_cast<std::size_t>(width)});
  nb::gil_scoped_release release;
  for (std::size_t n = 0; n < static_cast<std::size_t>(masks.count); ++n) {
    unpack_mask(masks.words() + n * masks.mask_words(), masks.height, width,
                reinterpret_cast<std::uint8_t*>(bytes.data()) + n * masks.height * width);
  }
  return bytes;
}

NewArray<std::int64_t> statistics(nb::handle words, int width) {
  const BitMasks masks = bit_masks(words, width, "masks");
  auto rows = new_array<std::int64_t>({static_cast<std::size_t>(masks.count), kStatisticsFields});
  nb::gil_scoped_release release;
  auto* out = reinterpret_cast<MaskStatistics*>(rows.data());
  for (int n = 0; n < masks.count; ++n) {
    out[n] = mask_statistics(masks.words() + n * masks.mask_words(), masks.height, width);
  }
  return rows;
}

std::tuple<NewArray<std::int32_t>, NewArray<std::int64_t>> components(nb::handle words, int width, int connectivity) {
  const BitMasks mask = one_bit_mask(words, width, "mask");
  check_connectivity(connectivity);
  auto labels = new_array<std::int32_t>({static_cast<std::size_t>(mask.height), static_cast<std::size_t>(width)});
  const auto found = [&] {
    nb::gil_scoped_release release;
    Components components(mask.words(), mask.height, width, connectivity);
    std::fill_n(labels.data(), static_cast<std::size_t>(mask.height) * width, 0);
    for (const Run& run : components.runs()) {
      std::int32_t* row = labels.data() + static_cast<std::size_t>(run.row) * width;
      std::fill(row + run.begin, row + run.end, run.component + 1);
    }
    return components.components();
  }();
  auto table = new_array<std::int64_t>({found.size(), kComponentFields});
  std::copy(found.begin(), found.end(), reinterpret_cast<Component*>(table.data()));
  return {labels, table};
}

NewArray<bool> largest(nb::handle words, int width, int connectivity) {
  const BitMasks mask = one_bit_mask(words, width, "mask");
  check_connectivity(connectivity);
  auto kept = new_array<bool>({static_cast<std::size_t>(mask.height), static_cast<std::size_t>(width)});
  nb::gil_scoped_release release;
  std::vector<std::uint32_t> kept_words(mask.mask_words());
  largest_component(mask.words(), mask.height, width, connectivity, kept_words.data());
  unpack_mask(kept_words.data(), mask.height, width, reinterpret_cast<std::uint8_t*>(kept.data()));
  return kept;
}

std::tuple<std::int32_t, std::int32_t, std::int64_t> peak(nb::handle words, int width) {
  const BitMasks mask = one_bit_mask(words, width, "mask");
  DistancePeak found;
  {
    nb::gil_scoped_release release;
    found = distance_peak(mask.words(), mask.height, width);
  }
  return {found.x, found.y, found.distance2};
}

NewArray<double> iou_matrix(nb::handle words_a, nb::handle words_b, int width) {
  const BitMasks a = bit_masks(words_a, width, "a"), b = bit_masks(words_b, width, "b");
  if (a.height != b.height) {
    value_error("b: expected masks of height " + std::to_string(a.height) + " as a's, got " + std::to_string(b.height));
  }
  const auto rows = static_cast<std::size_t>(a.count), columns = static_cast<std::size_t>(b.count);
  auto matrix = new_array<double>({rows, columns});
  nb::gil_scoped_release release;
  std::vector<std::int64_t> both(rows * columns), areas_a(rows), areas_b(columns);
  mask_intersections(a.words(), a.count, b.words(), b.count, a.height, width, both.data(), areas_a.data(),
                     areas_b.data());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      matrix.data()[i * columns + j] = iou_of(both[i * columns + j], areas_a[i], areas_b[j]);
    }
  }
  return matrix;
}

NewArray<std::int32_t> nms(nb::handle words, int width, nb::handle scores, double max_iou) {
  const BitMasks masks = bit_masks(words, width, "masks");
  const AnyArray of_scores = array_of<float>(scores, "scores", "float32 (N,)", 1);
  if (of_scores.shape(0) != static_cast<std::size_t>(masks.count)) {
    value_error("scores: expected one for each of " + std::to_string(masks.count) + " masks, got " +
                std::to_string(of_scores.shape(0)));
  }
  for (std::size_t n = 0; n < of_scores.shape(0); ++n) check_finite("scores", data_of<float>(of_scores)[n]);
  if (!(max_iou >= 0 && max_iou <= 1)) value_error("max_iou: expected 0..1, got " + std::to_string(max_iou));
  const auto kept = [&] {
    nb::gil_scoped_release release;
    return mask_nms(masks.words(), data_of<float>(of_scores), masks.count, masks.height, width, max_iou);
  }();
  auto numbers = new_array<std::int32_t>({kept.size()});
  std::copy(kept.begin(), kept.end(), numbers.data());
  return numbers;
}

nb::bytes encode(nb::handle words, int width) {
  const BitMasks mask = one_bit_mask(words, width, "mask");
  const auto text = [&] {
    nb::gil_scoped_release release;
    return rle_encode(mask.words(), mask.height, width);
  }();
  return nb::bytes(text.data(), text.size());
}

NewArray<bool> decode(nb::bytes encoded, int height, int width) {
  check_size("hw", height, width, 0);
  auto mask = new_array<bool>({static_cast<std::size_t>(height), static_cast<std::size_t>(width)});
  const char* refusal = nullptr;
  const std::string_view text(encoded.c_str(), encoded.size());
  {
    nb::gil_scoped_release release;
    std::vector<std::uint32_t> words(static_cast<std::size_t>(height) * words_for(width));
    refusal = rle_decode(text, height, width, words.data());
    if (refusal == nullptr) {
      unpack_mask(words.data(), height, width, reinterpret_cast<std::uint8_t*>(mask.data()));
    }
  }
  if (refusal != nullptr) {
    value_error("run lengths of a mask of " + std::to_string(height) + " x " + std::to_string(width) + ": " + refusal);
  }
  return mask;
}

std::tuple<NewArray<std::int32_t>, NewArray<std::int32_t>> outlines(nb::handle words, int width) {
  const BitMasks mask = one_bit_mask(words, width, "mask");
  const auto found = [&] {
    nb::gil_scoped_release release;
    return contours(mask.words(), mask.height, width);
  }();
  auto corners = new_array<std::int32_t>({found.xy.size() / 2, 2});
  auto ends = new_array<std::int32_t>({found.ends.size()});
  std::copy(found.xy.begin(), found.xy.end(), corners.data());
  std::copy(found.ends.begin(), found.ends.end(), ends.data());
  return {corners, ends};
}

}  // namespace

void add_mask_operations(nb::module_& module) {
  module.def("mask_bounds", &bounds, nb::arg("mask"));
  module.def("pack_masks", &pack, nb::arg("masks"));
  module.def("unpack_masks", &unpack, nb::arg("words"), nb::arg("width"));
  module.def("mask_statistics", &statistics, nb::arg("words"), nb::arg("width"));
  module.def("connected_components", &components, nb::arg("words"), nb::arg("width"), nb::arg("connectivity"));
  module.def("largest_component", &largest, nb::arg("words"), nb::arg("width"), nb::arg("connectivity"));
  module.def("distance_peak", &peak, nb::arg("words"), nb::arg("width"));
  module.def("mask_iou_matrix", &iou_matrix, nb::arg("a"), nb::arg("b"), nb::arg("width"));
  module.def("mask_nms", &nms, nb::arg("words"), nb::arg("width"), nb::arg("scores"), nb::arg("max_iou"));
  module.def("rle_encode", &encode, nb::arg("words"), nb::arg("width"));
  module.def("rle_decode", &decode, nb::arg("encoded"), nb::arg("height"), nb::arg("width"));
  module.def("contours", &outlines, nb::arg("words"), nb::arg("width"));
}

}  // namespace icseg::bindings
