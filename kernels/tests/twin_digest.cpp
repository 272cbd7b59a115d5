// Runs every operation of the CPU on the same pictures and prints one number an operation: versions for different
// instruction sets, and for other processors, must print the same.
#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

#include "icseg/bits.h"
#include "icseg/components.h"
#include "icseg/contours.h"
#include "icseg/distance.h"
#include "icseg/fill.h"
#include "icseg/mask_bounds.h"
#include "icseg/overlap.h"
#include "icseg/overlay.h"
#include "icseg/packing.h"
#include "icseg/preprocess.h"
#include "icseg/rle.h"
#include "icseg/upsample.h"
#include "pictures.h"

namespace {

struct Digest {
  const char* name;
  std::uint64_t value = 1469598103934665603ULL;

  template <typename Value>
  void add(const Value* values, std::size_t count) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(values);
    for (std::size_t i = 0; i < count * sizeof(Value); ++i) value = (value ^ bytes[i]) * 1099511628211ULL;
  }
  template <typename Container>
  void add(const Container& values) {
    add(values.data(), values.size());
  }
};

Digest packing{"packing"}, cleaning{"clean_logits"}, upsampling{"upsample_threshold"}, statistics{"mask_statistics"},
    components{"connected_components"}, distance{"distance_peak"}, overlap{"overlap"}, rle{"rle"}, contour{"contours"},
    planes{"preprocess"}, drawing{"overlay"};

void digest_masks(pictures::Kind kind, pictures::Size size) {
  const auto [height, width] = size;
  const auto bytes = pictures::mask_of(kind, size, 3);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(height) * icseg::words_for(width)), kept = words;
  icseg::pack_mask(bytes.data(), height, width, words.data());
  packing.add(words);
  std::vector<std::uint8_t> back(bytes.size());
  icseg::unpack_mask(words.data(), height, width, back.data());
  packing.add(back);
  const icseg::MaskStatistics found = icseg::mask_statistics(words.data(), height, width);
  statistics.add(&found, 1);
  const icseg::MaskBounds bounds = icseg::mask_bounds(bytes.data(), height, width, width);
  statistics.add(&bounds, 1);
  const icseg::Components labelled(words.data(), height, width, 8);
  components.add(labelled.runs());
  components.add(labelled.components());
  icseg::largest_component(words.data(), height, width, 4, kept.data());
  components.add(kept);
  const icseg::DistancePeak peak = icseg::distance_peak(words.data(), height, width);
  distance.add(&peak, 1);
  std::int64_t both = 0, area_a = 0, area_b = 0;
  icseg::mask_intersections(words.data(), 1, kept.data(), 1, height, width, &both, &area_a, &area_b);
  overlap.add(&both, 1);
  const std::string text = icseg::rle_encode(words.data(), height, width);
  rle.add(text);
  rle.add(icseg::rle_decode(text, height, width, kept.data()) == nullptr ? "y" : "n", 1);
  rle.add(kept);
  const icseg::Contours outlines = icseg::contours(words.data(), height, width);
  contour.add(outlines.xy);
  contour.add(outlines.ends);
  std::vector<std::uint8_t> picture(3 * bytes.size());
  for (std::size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<std::uint8_t>(i * 29);
  const icseg::OverlayStyle style{{9, 200, 77}, {255, 0, 1}, 99, true};
  icseg::overlay(picture.data(), height, width, 3 * width, words.data(), 1, &style);
  drawing.add(picture);
}

void digest_logits(pictures::Kind kind, pictures::Size size) {
  const auto [height, width] = size;
  const auto logits = pictures::logits_of(kind, size, 5);
  std::vector<float> cleaned(logits.size());
  icseg::clean_logits(logits.data(), height, width, {0.0f, 8, 0.1f, 3, -10.0f}, cleaned.data());
  cleaning.add(cleaned);
  for (const pictures::Size out : {pictures::Size{97, 151}, pictures::Size{20, 17}}) {
    const icseg::UpsampleShape shape{height, width, out.height, out.width, -0.5, 0, width + 0.25, height * 0.8};
    std::vector<std::uint32_t> words(static_cast<std::size_t>(out.height) * icseg::words_for(out.width));
    for (const float offset : {0.0f, 1.0f}) {
      icseg::MaskStatistics found;
      icseg::upsample_threshold(logits.data(), 1, shape, 0.25f, offset, false, words.data(), &found);
      upsampling.add(words);
      upsampling.add(&found, 1);
    }
  }
}

void digest_frames(pictures::Size size) {
  const float scale[3] = {0.017f, 0.0175f, 0.0172f}, shift[3] = {-2.1f, -2.0f, -1.8f};
  for (int encoding = 0; encoding <= 4; ++encoding) {
    const auto kind = static_cast<icseg::Encoding>(encoding);
    const int height = 2 * size.height, width = 2 * size.width;
    const std::ptrdiff_t step = icseg::row_bytes(kind, width);
    std::vector<std::uint8_t> frame(static_cast<std::size_t>(icseg::stored_rows(kind, height)) * step);
    for (std::size_t i = 0; i < frame.size(); ++i) frame[i] = static_cast<std::uint8_t>(i * i * 31 + i / 7);
    const icseg::FrameView view{frame.data(), height, width, step, kind};
    for (const int side : {33, 90}) {
      const std::size_t values = 3 * static_cast<std::size_t>(side) * side;
      std::vector<float> floats(values);
      std::vector<std::uint16_t> halves(values);
      icseg::preprocess(view, {side, side, 1, 2, side - 2, side - 1}, scale, shift, floats.data());
      icseg::preprocess(view, {side, side, 1, 2, side - 2, side - 1}, scale, shift, halves.data());
      planes.add(floats);
      planes.add(halves);
    }
  }
}

}  // namespace

int main() {
  for (const pictures::Size size : {pictures::Size{1, 1}, pictures::Size{1, 65}, pictures::Size{33, 1},
                                    pictures::Size{31, 70}, pictures::Size{80, 96}}) {
    for (const pictures::Kind kind : pictures::kKinds) {
      digest_masks(kind, size);
      digest_logits(kind, size);
    }
    digest_frames(size);
  }
  for (const Digest* digest : {&packing, &cleaning, &upsampling, &statistics, &components, &distance, &overlap, &rle,
                               &contour, &planes, &drawing}) {
    std::printf("%s %016" PRIx64 "\n", digest->name, digest->value);
  }
  return 0;
}
