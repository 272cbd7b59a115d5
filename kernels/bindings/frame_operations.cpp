// Operations on camera frames: a network's input, and masks drawn onto a picture.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <array>
#include <cmath>
#include <cstring>
#include <tuple>
#include <vector>

#include "arrays.h"
#include "icseg/bits.h"
#include "icseg/overlay.h"
#include "icseg/preprocess.h"

namespace icseg::bindings {
namespace {

using Triple = std::tuple<double, double, double>;
using Rectangle = std::tuple<int, int, int, int>;
constexpr int kMaxThreads = 64;

struct EncodingRow {
  const char* name;
  Encoding encoding;
  std::size_t channels;  // last dimension; 0: the array is (rows, W)
  const char* expected;
};
constexpr std::array<EncodingRow, 5> kEncodings{{
    {"rgb8", Encoding::kRgb8, 3, "uint8 (H, W, 3)"},
    {"bgr8", Encoding::kBgr8, 3, "uint8 (H, W, 3)"},
    {"rgba8", Encoding::kRgba8, 4, "uint8 (H, W, 4)"},
    {"nv12", Encoding::kNv12, 0, "uint8 (H * 3 / 2, W) of an even H and W"},
    {"yuyv", Encoding::kYuyv, 2, "uint8 (H, W, 2) of an even W"},
}};

const EncodingRow& encoding_of(const std::string& name) {
  std::string known;
  for (const EncodingRow& row : kEncodings) {
    if (name == row.name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  value_error("encoding: expected one of " + known + ", got " + name);
}

// Rows may lie any distance apart; within a row there are no gaps.
FrameView frame_of(const AnyArray& array, const EncodingRow& row) {
  const auto refuse = [&] { value_error("image: expected " + std::string(row.expected) + ", got " + describe(array)); };
  if (array.dtype() != nb::dtype<std::uint8_t>()) {
    type_error("image: expected " + std::string(row.expected) + ", got " + describe(array));
  }
  if (array.ndim() != (row.channels == 0 ? 2u : 3u)) refuse();
  if (row.channels != 0 && array.shape(2) != row.channels) refuse();
  std::int64_t height = static_cast<std::int64_t>(array.shape(0)), width = static_cast<std::int64_t>(array.shape(1));
  if (row.encoding == Encoding::kNv12) {
    if (height % 3 != 0) refuse();
    height = height / 3 * 2;
    if (height % 2 != 0) refuse();
  }
  if ((row.encoding == Encoding::kNv12 || row.encoding == Encoding::kYuyv) && width % 2 != 0) refuse();
  check_size("image", height, width, 1);
  const std::int64_t pixel = row.channels == 0 ? 1 : static_cast<std::int64_t>(row.channels);
  if ((row.channels > 1 && array.stride(2) != 1) || (width > 1 && array.stride(1) != pixel) ||
      (array.shape(0) > 1 && array.stride(0) < width * pixel)) {
    value_error("image: expected rows without gaps between their pixels and in order, got strides that skip: pass "
                "numpy.ascontiguousarray of it");
  }
  return {data_of<std::uint8_t>(array), static_cast<int>(height), static_cast<int>(width),
          static_cast<std::ptrdiff_t>(array.stride(0)), row.encoding};
}

void preprocess_into(nb::handle image, const std::string& encoding, nb::handle out, const Rectangle& place,
                     const Triple& mean, const Triple& std_deviation, int threads) {
  const EncodingRow& row = encoding_of(encoding);
  const AnyArray array = any_array(image, "image", row.expected);
  const FrameView frame = frame_of(array, row);
  nb::ndarray<> planes;
  if (!nb::try_cast(out, planes) || planes.device_type() != nb::device::cpu::value) {
    type_error("out: expected a writable float32 or float16 (3, h, w)");
  }
  const bool is_float = planes.dtype() == nb::dtype<float>();
  const bool is_half = planes.dtype() == nb::dlpack::dtype{static_cast<std::uint8_t>(nb::dlpack::dtype_code::Float), 16, 1};
  const AnyArray view(planes);
  if (!is_float && !is_half) type_error("out: expected float32 or float16 (3, h, w), got " + describe(view));
  if (planes.ndim() != 3 || planes.shape(0) != 3 || planes.shape(1) == 0 || planes.shape(2) == 0 ||
      planes.stride(2) != 1 || planes.stride(1) != static_cast<std::int64_t>(planes.shape(2)) ||
      planes.stride(0) != static_cast<std::int64_t>(planes.shape(1) * planes.shape(2))) {
    value_error("out: expected a contiguous (3, h, w) of at least one pixel, got " + describe(view));
  }
  check_size("out", static_cast<std::int64_t>(planes.shape(1)), static_cast<std::int64_t>(planes.shape(2)), 1);
  const auto [x0, y0, width, height] = place;
  const Placement placement{static_cast<int>(planes.shape(1)), static_cast<int>(planes.shape(2)), x0, y0, height, width};
  if (x0 < 0 || y0 < 0 || width < 1 || height < 1 || width > placement.planes_w - x0 ||
      height > placement.planes_h - y0) {
    value_error("place_xywh: expected a rectangle within " + std::to_string(placement.planes_w) + " x " +
                std::to_string(placement.planes_h) + " of at least one pixel");
  }
  const double means[3] = {std::get<0>(mean), std::get<1>(mean), std::get<2>(mean)};
  const double stds[3] = {std::get<0>(std_deviation), std::get<1>(std_deviation), std::get<2>(std_deviation)};
  float scale[3], shift[3];
  for (int channel = 0; channel < 3; ++channel) {
    check_finite("mean", means[channel]);
    if (!(stds[channel] > 0) || !std::isfinite(stds[channel])) {
      value_error("std: expected numbers above 0, got " + std::to_string(stds[channel]));
    }
    scale[channel] = static_cast<float>(1.0 / (255.0 * stds[channel]));
    shift[channel] = static_cast<float>(-means[channel] / stds[channel]);
  }
  if (threads < 1 || threads > kMaxThreads) {
    value_error("threads: expected 1.." + std::to_string(kMaxThreads) + ", got " + std::to_string(threads));
  }
  nb::gil_scoped_release release;
  if (is_float) {
    preprocess(frame, placement, scale, shift, static_cast<float*>(planes.data()), threads);
  } else {
    preprocess(frame, placement, scale, shift, static_cast<std::uint16_t*>(planes.data()), threads);
  }
}

nb::ndarray<nb::numpy, std::uint8_t> draw(nb::handle image, nb::handle words, nb::handle colours, double alpha,
                                          nb::handle outline) {
  const AnyArray array = any_array(image, "image", "uint8 (H, W, 3)");
  const FrameView frame = frame_of(array, kEncodings[0]);
  const BitMasks masks = bit_masks(words, frame.width, "masks");
  if (masks.height != frame.height) {
    value_error("masks: expected the image's height " + std::to_string(frame.height) + ", got " +
                std::to_string(masks.height));
  }
  const AnyArray fills = array_of<std::uint8_t>(colours, "colours", "uint8 (N, 3)", 2);
  if (fills.shape(0) != static_cast<std::size_t>(masks.count) || fills.shape(1) != 3) {
    value_error("colours: expected uint8 (" + std::to_string(masks.count) + ", 3), got " + describe(fills));
  }
  if (!(alpha >= 0 && alpha <= 1)) value_error("alpha: expected 0..1, got " + std::to_string(alpha));
  std::vector<OverlayStyle> styles(masks.count);
  std::uint8_t line[3] = {0, 0, 0};
  if (!outline.is_none()) {
    const AnyArray of_line = array_of<std::uint8_t>(outline, "outline", "uint8 (3,)", 1);
    if (of_line.shape(0) != 3) value_error("outline: expected uint8 (3,), got " + describe(of_line));
    std::memcpy(line, of_line.data(), 3);
  }
  for (int n = 0; n < masks.count; ++n) {
    std::memcpy(styles[n].fill, data_of<std::uint8_t>(fills) + 3 * n, 3);
    std::memcpy(styles[n].outline, line, 3);
    styles[n].alpha = static_cast<int>(std::lround(alpha * 256));
    styles[n].has_outline = !outline.is_none();
  }
  const std::size_t row = 3 * static_cast<std::size_t>(frame.width);
  auto picture = new_array<std::uint8_t>(
      {static_cast<std::size_t>(frame.height), static_cast<std::size_t>(frame.width), 3});
  nb::gil_scoped_release release;
  for (int y = 0; y < frame.height; ++y) std::memcpy(picture.data() + y * row, frame.pixels + y * frame.step, row);
  overlay(picture.data(), frame.height, frame.width, static_cast<std::ptrdiff_t>(row), masks.words(), masks.count,
          styles.data());
  return picture;
}

}  // namespace

void add_frame_operations(nb::module_& module) {
  module.def("preprocess", &preprocess_into, nb::arg("image"), nb::arg("encoding"), nb::arg("out"),
             nb::arg("place_xywh"), nb::arg("mean"), nb::arg("std"), nb::arg("threads") = 1);
  module.def("overlay", &draw, nb::arg("image"), nb::arg("words"), nb::arg("colours"), nb::arg("alpha"),
             nb::arg("outline").none());
}

}  // namespace icseg::bindings
