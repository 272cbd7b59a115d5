// Runs every CUDA operation in the emulation and its twin on the CPU on the same pictures, and compares them bit by bit.
// Exit status 0: all equal, nothing reported. Usage: see options_of.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cuda_emulation.h"
#include "icseg/bits.h"
#include "icseg/components.h"
#include "icseg/contours.h"
#include "icseg/cuda.h"
#include "icseg/distance.h"
#include "icseg/fill.h"
#include "icseg/half.cuh"
#include "icseg/overlap.h"
#include "icseg/overlay.h"
#include "icseg/packing.h"
#include "icseg/preprocess.h"
#include "icseg/rle.h"
#include "icseg/upsample.h"
#include "pictures.h"

namespace {

using pictures::Bytes;
using pictures::Kind;
using pictures::Size;
using Words = std::vector<std::uint32_t>;

std::vector<std::string> failures;

void expect(bool is_equal, const std::string& what) {
  if (!is_equal && failures.size() < 20) failures.push_back(what);
}

// What comes out must have been written: buffers start as something unlikely.
template <typename Value>
std::vector<Value> unwritten(std::size_t count) {
  std::vector<Value> values(count);
  if (count > 0) std::memset(values.data(), 0x5a, count * sizeof(Value));
  return values;
}

std::vector<char> workspace_of(std::size_t bytes) { return unwritten<char>(bytes); }

using Halves = std::vector<std::uint16_t>;

Halves halves_of(const std::vector<float>& values) {
  Halves halves(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) halves[i] = icseg::cuda::half_bits(values[i]);
  return halves;
}

std::vector<float> floats_of(const Halves& halves) {
  std::vector<float> values(halves.size());
  for (std::size_t i = 0; i < halves.size(); ++i) values[i] = icseg::cuda::float_of_half(halves[i]);
  return values;
}

// Every half there is, against its definition.
void check_halves() {
  for (int i = 0; i < 0x7c00; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const int exponent = i >> 10, fraction = i & 0x3ff;
    const double exact = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
    const float value = icseg::cuda::float_of_half(bits);
    expect(value == exact && icseg::cuda::half_bits(value) == bits, "half " + std::to_string(i));
    expect(icseg::cuda::float_of_half(static_cast<std::uint16_t>(i | 0x8000)) == -exact, "half -" + std::to_string(i));
  }
  expect(std::isinf(icseg::cuda::float_of_half(0x7c00)) && std::isnan(icseg::cuda::float_of_half(0x7e00)), "no halves");
}

struct Batch {
  std::string name;
  Size size;
  int count;
  std::vector<float> logits;
  Bytes bytes;
  Words words;

  std::size_t pixels() const { return static_cast<std::size_t>(size.height) * size.width; }
  std::size_t mask_words() const { return static_cast<std::size_t>(size.height) * icseg::words_for(size.width); }
};

Batch batch_of(Kind kind, Size size, int count) {
  Batch batch{std::to_string(static_cast<int>(kind)) + " " + std::to_string(size.height) + "x" +
                  std::to_string(size.width),
              size, count, {}, {}, {}};
  for (int n = 0; n < count; ++n) {
    const auto logits = pictures::logits_of(kind, size, 7 + n);
    const auto mask = pictures::mask_of(kind, size, 7 + n);
    batch.logits.insert(batch.logits.end(), logits.begin(), logits.end());
    batch.bytes.insert(batch.bytes.end(), mask.begin(), mask.end());
    Words words(batch.mask_words());
    icseg::pack_mask(mask.data(), size.height, size.width, words.data());
    batch.words.insert(batch.words.end(), words.begin(), words.end());
  }
  return batch;
}

void check_clean(const Batch& batch) {
  const auto [height, width] = batch.size;
  for (const auto& [holes, sprinkles] : {std::pair<int, int>{8, 3}, {0, 8}, {40, 12}}) {
    const icseg::CleanLimits limits{0.0f, holes, 0.1f, sprinkles, -10.0f};
    auto expected = unwritten<float>(batch.logits.size()), got = unwritten<float>(batch.logits.size());
    for (int n = 0; n < batch.count; ++n) {
      icseg::clean_logits(&batch.logits[n * batch.pixels()], height, width, limits, &expected[n * batch.pixels()]);
    }
    auto workspace = workspace_of(icseg_clean_logits_workspace(batch.count, height, width, holes, sprinkles));
    const int status = icseg_clean_logits(batch.logits.data(), batch.count, height, width, 0.0f, holes, 0.1f, sprinkles,
                                          -10.0f, got.data(), workspace.data(), nullptr);
    expect(status == 0 && got == expected, "clean_logits " + batch.name + " up to " + std::to_string(holes));
    const Halves halves = halves_of(batch.logits);
    const std::vector<float> rounded = floats_of(halves);
    auto got_halves = unwritten<std::uint16_t>(halves.size());
    for (int n = 0; n < batch.count; ++n) {
      icseg::clean_logits(&rounded[n * batch.pixels()], height, width, limits, &expected[n * batch.pixels()]);
    }
    const int again = icseg_clean_logits_half(halves.data(), batch.count, height, width, 0.0f, holes, 0.1f, sprinkles,
                                              -10.0f, got_halves.data(), workspace.data(), nullptr);
    expect(again == 0 && got_halves == halves_of(expected), "clean_logits of halves " + batch.name);
  }
}

void check_upsample(const Batch& batch) {
  const auto [cells_h, cells_w] = batch.size;
  const double whole[4] = {0, 0, static_cast<double>(cells_w), static_cast<double>(cells_h)};
  const double part[4] = {-0.75, 0.25, cells_w * 0.6 + 1, cells_h * 0.7 + 1};
  constexpr int kSmallWidth = 41;
  for (const Size out : {Size{37, kSmallWidth}, Size{2 * cells_h + 1, 3 * cells_w}}) {
    for (const double* region : {whole, part}) {
      for (const int is_exclusive : {0, 1}) {
        const icseg::UpsampleShape shape{cells_h,   cells_w,   out.height, out.width,
                                         region[0], region[1], region[2],  region[3]};
        const std::size_t words = static_cast<std::size_t>(batch.count) * out.height * icseg::words_for(out.width);
        auto expected = unwritten<std::uint32_t>(words), got = unwritten<std::uint32_t>(words);
        auto expected_rows = unwritten<std::int64_t>(batch.count * icseg::kStatisticsFields);
        auto rows = unwritten<std::int64_t>(expected_rows.size());
        icseg::upsample_threshold(batch.logits.data(), batch.count, shape, 0.0f, 1.0f, is_exclusive != 0,
                                  expected.data(), reinterpret_cast<icseg::MaskStatistics*>(expected_rows.data()));
        auto workspace = workspace_of(icseg_upsample_threshold_workspace(batch.count));
        const int status =
            icseg_upsample_threshold(batch.logits.data(), batch.count, cells_h, cells_w, out.height, out.width, region,
                                     0.0f, 1.0f, is_exclusive, got.data(), rows.data(), workspace.data(), nullptr);
        expect(status == 0 && got == expected, "upsample_threshold masks of " + batch.name);
        expect(rows == expected_rows, "upsample_threshold statistics of " + batch.name);
        if (out.width != kSmallWidth) continue;  // of halves one size tells as much
        const Halves halves = halves_of(batch.logits);
        const std::vector<float> rounded = floats_of(halves);
        icseg::upsample_threshold(rounded.data(), batch.count, shape, 0.0f, 1.0f, is_exclusive != 0, expected.data(),
                                  reinterpret_cast<icseg::MaskStatistics*>(expected_rows.data()));
        const int again = icseg_upsample_threshold_half(halves.data(), batch.count, cells_h, cells_w, out.height,
                                                        out.width, region, 0.0f, 1.0f, is_exclusive, got.data(),
                                                        rows.data(), workspace.data(), nullptr);
        expect(again == 0 && got == expected && rows == expected_rows, "upsample_threshold of halves " + batch.name);
      }
    }
  }
}

void check_statistics(const Batch& batch) {
  auto expected = unwritten<std::int64_t>(batch.count * icseg::kStatisticsFields);
  auto got = unwritten<std::int64_t>(expected.size());
  for (int n = 0; n < batch.count; ++n) {
    reinterpret_cast<icseg::MaskStatistics*>(expected.data())[n] =
        icseg::mask_statistics(&batch.words[n * batch.mask_words()], batch.size.height, batch.size.width);
  }
  auto workspace = workspace_of(icseg_mask_statistics_workspace(batch.count));
  const int status = icseg_mask_statistics(batch.words.data(), batch.count, batch.size.height, batch.size.width,
                                           got.data(), workspace.data(), nullptr);
  expect(status == 0 && got == expected, "mask_statistics " + batch.name);
}

void check_components(const Batch& batch) {
  const auto [height, width] = batch.size;
  const int capacity = static_cast<int>(batch.pixels());
  for (const int connectivity : {4, 8}) {
    auto labels = unwritten<std::int32_t>(batch.bytes.size());
    auto counts = unwritten<std::int32_t>(batch.count), largest = counts;
    auto rows = unwritten<std::int64_t>(static_cast<std::size_t>(batch.count) * capacity * icseg::kComponentFields);
    auto kept = unwritten<std::uint32_t>(batch.words.size());
    auto workspace = workspace_of(icseg_connected_components_workspace(batch.count, height, width));
    int status = icseg_connected_components(batch.words.data(), batch.count, height, width, connectivity, capacity,
                                            labels.data(), counts.data(), rows.data(), workspace.data(), nullptr);
    status |= icseg_largest_component(labels.data(), counts.data(), rows.data(), batch.count, height, width, capacity,
                                      largest.data(), kept.data(), nullptr);
    expect(status == 0, "connected_components " + batch.name);
    for (int n = 0; n < batch.count; ++n) {
      const std::uint32_t* mask = &batch.words[n * batch.mask_words()];
      const icseg::Components found(mask, height, width, connectivity);
      std::vector<std::int32_t> expected(batch.pixels(), 0);
      for (const icseg::Run& run : found.runs()) {
        for (int x = run.begin; x < run.end; ++x) {
          expected[static_cast<std::size_t>(run.row) * width + x] = run.component + 1;
        }
      }
      const std::string what = "connected_components " + batch.name;
      expect(std::memcmp(expected.data(), &labels[n * batch.pixels()], expected.size() * 4) == 0, what + ": labels");
      const std::size_t count = found.components().size();
      expect(static_cast<std::size_t>(counts[n]) == count, what + ": count");
      const std::int64_t* of_mask = &rows[static_cast<std::size_t>(n) * capacity * icseg::kComponentFields];
      expect(count == 0 || std::memcmp(found.components().data(), of_mask, count * sizeof(icseg::Component)) == 0,
             what + ": rows");
      Words expected_kept(batch.mask_words());
      icseg::largest_component(mask, height, width, connectivity, expected_kept.data());
      expect(std::memcmp(expected_kept.data(), &kept[n * batch.mask_words()], expected_kept.size() * 4) == 0,
             "largest_component " + batch.name);
    }
  }
}

void check_distance(const Batch& batch) {
  const auto [height, width] = batch.size;
  auto peaks = unwritten<std::int64_t>(3 * batch.count);
  auto workspace = workspace_of(icseg_distance_peak_workspace(batch.count, height, width));
  const int status =
      icseg_distance_peak(batch.words.data(), batch.count, height, width, peaks.data(), workspace.data(), nullptr);
  for (int n = 0; n < batch.count; ++n) {
    const icseg::DistancePeak peak = icseg::distance_peak(&batch.words[n * batch.mask_words()], height, width);
    expect(status == 0 && peaks[3 * n] == peak.x && peaks[3 * n + 1] == peak.y && peaks[3 * n + 2] == peak.distance2,
           "distance_peak " + batch.name);
  }
}

void check_overlap(const Batch& batch) {
  const auto [height, width] = batch.size;
  const int count = batch.count, others = count - 1;
  std::vector<double> expected(static_cast<std::size_t>(count) * others), got = unwritten<double>(expected.size());
  std::vector<std::int64_t> both(expected.size()), areas_a(count), areas_b(others);
  icseg::mask_intersections(batch.words.data(), count, batch.words.data(), others, height, width, both.data(),
                            areas_a.data(), areas_b.data());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expected[i] = icseg::iou_of(both[i], areas_a[i / others], areas_b[i % others]);
  }
  auto workspace = workspace_of(icseg_mask_iou_matrix_workspace(count, others));
  int status = icseg_mask_iou_matrix(batch.words.data(), count, batch.words.data(), others, height, width, got.data(),
                                     workspace.data(), nullptr);
  expect(status == 0 && got == expected, "mask_iou_matrix " + batch.name);
  const std::vector<float> all_scores = {0.5f, 0.9f, 0.5f};
  const std::vector<float> scores(all_scores.begin(), all_scores.begin() + count);
  for (const double limit : {0.0, 0.4, 1.0}) {
    const auto stay = icseg::mask_nms(batch.words.data(), scores.data(), count, height, width, limit);
    auto kept = unwritten<std::int32_t>(count), kept_count = unwritten<std::int32_t>(1);
    auto room = workspace_of(icseg_mask_nms_workspace(count));
    status = icseg_mask_nms(batch.words.data(), scores.data(), count, height, width, limit, kept.data(),
                            kept_count.data(), room.data(), nullptr);
    kept.resize(std::min<std::size_t>(kept.size(), static_cast<std::size_t>(std::max(kept_count[0], 0))));
    expect(status == 0 && kept == stay, "mask_nms " + batch.name);
  }
}

void check_rle(const Batch& batch) {
  const auto [height, width] = batch.size;
  const int runs = static_cast<int>(batch.pixels()) + 1, room = 8 * runs;
  auto texts = unwritten<char>(static_cast<std::size_t>(batch.count) * room);
  auto lengths = unwritten<std::int32_t>(batch.count);
  auto workspace = workspace_of(icseg_rle_encode_workspace(batch.count, width, runs));
  int status = icseg_rle_encode(batch.words.data(), batch.count, height, width, runs, room, texts.data(),
                                lengths.data(), workspace.data(), nullptr);
  for (int n = 0; n < batch.count; ++n) {
    const std::string expected = icseg::rle_encode(&batch.words[n * batch.mask_words()], height, width);
    const bool is_whole = lengths[n] == static_cast<std::int32_t>(expected.size());
    expect(status == 0 && is_whole && std::memcmp(expected.data(), &texts[n * room], expected.size()) == 0,
           "rle_encode " + batch.name);
  }
  auto words = unwritten<std::uint32_t>(batch.words.size());
  auto statuses = unwritten<std::int32_t>(batch.count);
  auto space = workspace_of(icseg_rle_decode_workspace(batch.count, runs));
  status = icseg_rle_decode(texts.data(), lengths.data(), batch.count, height, width, runs, room, words.data(),
                            statuses.data(), space.data(), nullptr);
  expect(status == 0 && words == batch.words, "rle_decode " + batch.name);
  lengths[0] -= 1;  // cut off within a number, or one run short
  status = icseg_rle_decode(texts.data(), lengths.data(), batch.count, height, width, runs, room, words.data(),
                            statuses.data(), space.data(), nullptr);
  expect(status == 0 && statuses[0] != 0 && statuses[batch.count - 1] == 0, "rle_decode of a cut text " + batch.name);
  // room for nothing: it says so, and writes nowhere
  auto small = workspace_of(icseg_rle_encode_workspace(batch.count, width, 0));
  status = icseg_rle_encode(batch.words.data(), batch.count, height, width, 0, 0, nullptr, lengths.data(), small.data(),
                            nullptr);
  for (int n = 0; n < batch.count; ++n) {
    const bool is_uniform = icseg::rle_counts(&batch.words[n * batch.mask_words()], height, width).size() == 1;
    expect(status == 0 && (is_uniform ? lengths[n] > 0 : lengths[n] == -1), "rle_encode without room " + batch.name);
  }
}

// Polygons of linked corners, in the order of the corners.
icseg::Contours polygons_of(const std::int32_t* corners, const std::int32_t* next, std::size_t count) {
  icseg::Contours found;
  std::vector<bool> is_done(count, false);
  for (std::size_t start = 0; start < count; ++start) {
    if (is_done[start]) continue;
    std::size_t corner = start;
    while (corner < count && !is_done[corner]) {
      is_done[corner] = true;
      found.xy.insert(found.xy.end(), {corners[2 * corner], corners[2 * corner + 1]});
      corner = static_cast<std::size_t>(static_cast<std::uint32_t>(next[corner]));
    }
    found.ends.push_back(static_cast<std::int32_t>(found.xy.size() / 2));
  }
  return found;
}

void check_contours(const Batch& batch) {
  const auto [height, width] = batch.size;
  const int capacity = (height + 1) * width;
  auto corners = unwritten<std::int32_t>(4 * static_cast<std::size_t>(batch.count) * capacity);
  auto next = unwritten<std::int32_t>(2 * static_cast<std::size_t>(batch.count) * capacity);
  auto edges = unwritten<std::int32_t>(batch.count);
  auto workspace = workspace_of(icseg_contours_workspace(batch.count, height, capacity));
  const int status = icseg_contours(batch.words.data(), batch.count, height, width, capacity, corners.data(),
                                    next.data(), edges.data(), workspace.data(), nullptr);
  for (int n = 0; n < batch.count; ++n) {
    const icseg::Contours expected = icseg::contours(&batch.words[n * batch.mask_words()], height, width);
    const std::size_t first = static_cast<std::size_t>(n) * capacity;
    const bool is_counted = status == 0 && edges[n] >= 0 && edges[n] <= capacity;
    expect(is_counted, "contours " + batch.name + ": edges");
    if (!is_counted) continue;
    const icseg::Contours got = polygons_of(&corners[4 * first], &next[2 * first], 2u * edges[n]);
    expect(got.xy == expected.xy && got.ends == expected.ends, "contours " + batch.name);
  }
  // one edge of room: no more is written, and the count tells
  auto few = unwritten<std::int32_t>(4 * static_cast<std::size_t>(batch.count));
  auto room = workspace_of(icseg_contours_workspace(batch.count, height, 1));
  auto again = edges;
  icseg_contours(batch.words.data(), batch.count, height, width, 1, few.data(), next.data(), again.data(), room.data(),
                 nullptr);
  expect(again == edges, "contours without room " + batch.name);
}

void check_packing(const Batch& batch) {
  auto words = unwritten<std::uint32_t>(batch.words.size());
  auto bytes = unwritten<std::uint8_t>(batch.bytes.size());
  int status = icseg_pack_masks(batch.bytes.data(), batch.count, batch.size.height, batch.size.width, words.data(),
                                nullptr);
  status |= icseg_unpack_masks(words.data(), batch.count, batch.size.height, batch.size.width, bytes.data(), nullptr);
  expect(status == 0 && words == batch.words && bytes == batch.bytes, "pack_masks and unpack_masks " + batch.name);
}

void check_overlay(const Batch& batch) {
  const auto [height, width] = batch.size;
  const std::ptrdiff_t step = 3 * width + 5;
  Bytes picture(static_cast<std::size_t>(height) * step);
  for (std::size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<std::uint8_t>(i * 37);
  Bytes expected = picture;
  std::vector<icseg::OverlayStyle> styles;
  std::vector<std::uint8_t> packed(16 * static_cast<std::size_t>(batch.count));
  for (int n = 0; n < batch.count; ++n) {
    const icseg::OverlayStyle style{{static_cast<std::uint8_t>(40 * n), 200, 9}, {255, 254, 1}, 77 + n, n % 2 == 0};
    styles.push_back(style);
    const std::int32_t numbers[2] = {style.alpha, style.has_outline ? 1 : 0};
    std::memcpy(&packed[16 * n], style.fill, 3);
    std::memcpy(&packed[16 * n + 3], style.outline, 3);
    std::memcpy(&packed[16 * n + 8], numbers, 8);
  }
  icseg::overlay(expected.data(), height, width, step, batch.words.data(), batch.count, styles.data());
  const int status = icseg_overlay(picture.data(), height, width, step, batch.words.data(), batch.count, packed.data(),
                                   nullptr);
  expect(status == 0 && picture == expected, "overlay " + batch.name);
}

void check_preprocess(Size size) {
  const float scale[3] = {0.017f, 0.0175f, 0.0172f}, shift[3] = {-2.1f, -2.0f, -1.8f};
  for (int encoding = 0; encoding <= 4; ++encoding) {
    const auto kind = static_cast<icseg::Encoding>(encoding);
    const int height = 2 * size.height, width = 2 * size.width;
    const std::ptrdiff_t step = icseg::row_bytes(kind, width) + 3;
    Bytes frame(static_cast<std::size_t>(icseg::stored_rows(kind, height)) * step);
    for (std::size_t i = 0; i < frame.size(); ++i) frame[i] = static_cast<std::uint8_t>(i * i * 31 + i / 7);
    const icseg::FrameView view{frame.data(), height, width, step, kind};
    const icseg::Placement placement{29, 35, 3, 2, 25, 30};
    const int place[4] = {placement.x0, placement.y0, placement.width, placement.height};
    const std::size_t values = 3u * 29 * 35;
    auto floats = unwritten<float>(values), expected_floats = floats;
    auto halves = unwritten<std::uint16_t>(values), expected_halves = halves;
    icseg::preprocess(view, placement, scale, shift, expected_floats.data());
    icseg::preprocess(view, placement, scale, shift, expected_halves.data());
    int status = icseg_preprocess(frame.data(), height, width, step, encoding, 29, 35, place, scale, shift, 0,
                                  floats.data(), nullptr);
    status |= icseg_preprocess(frame.data(), height, width, step, encoding, 29, 35, place, scale, shift, 1,
                               halves.data(), nullptr);
    const std::string what = "preprocess encoding " + std::to_string(encoding) + " " + std::to_string(size.width);
    expect(status == 0 && floats == expected_floats, what + " FP32");
    expect(halves == expected_halves, what + " FP16");
  }
}

void check_refusals() {
  float value = 0;
  const double region[4] = {1, 0, 1, 1};
  expect(icseg_clean_logits(&value, 1, 0, 1, 0, 1, 0, 1, 0, &value, nullptr, nullptr) == ICSEG_INVALID, "no height");
  expect(icseg_clean_logits(&value, 1, 1, 1, 0, -1, 0, 1, 0, &value, nullptr, nullptr) == ICSEG_INVALID, "area");
  expect(icseg_clean_logits(&value, 1, 1, 1, 0, 99, 0, 1, 0, &value, nullptr, nullptr) == ICSEG_INVALID, "workspace");
  expect(icseg_upsample_threshold(&value, 1, 1, 1, 4, 4, region, 0, 0, 0, nullptr, nullptr, nullptr, nullptr) ==
             ICSEG_INVALID,
         "region");
  expect(icseg_connected_components(nullptr, 1, 4, 4, 6, 1, nullptr, nullptr, nullptr, nullptr, nullptr) ==
             ICSEG_INVALID,
         "connectivity");
  expect(icseg_mask_statistics(nullptr, -1, 4, 4, nullptr, nullptr, nullptr) == ICSEG_INVALID, "count");
  expect(icseg_mask_statistics(nullptr, 0, 4, 4, nullptr, nullptr, nullptr) == 0, "an empty batch");
}

const std::pair<const char*, std::function<void(const Batch&)>> kChecks[] = {
    {"clean", check_clean},       {"upsample", check_upsample}, {"statistics", check_statistics},
    {"components", check_components}, {"distance", check_distance}, {"overlap", check_overlap},
    {"rle", check_rle},           {"contours", check_contours}, {"packing", check_packing},   {"overlay", check_overlay},
};

// --order forward|reverse|random  --seed N  --yield PERCENT  --poison BYTE  --resident BLOCKS  --bug NAME
// --only CHECK  --small (few sizes)
struct Options {
  std::string only;
  bool is_small = false;
};

Options options_of(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string name = words[i];
    if (name == "--small") {
      options.is_small = true;
      continue;
    }
    if (i + 1 == count) std::exit(2);
    const std::string value = words[++i];
    auto& settings = emulation::settings;
    if (name == "--order") {
      settings.order = value == "reverse"  ? emulation::Order::kReverse
                       : value == "random" ? emulation::Order::kRandom
                                           : emulation::Order::kForward;
    } else if (name == "--seed") {
      settings.seed = static_cast<unsigned>(std::stoul(value));
    } else if (name == "--yield") {
      settings.yield_percent = std::stoi(value);
    } else if (name == "--poison") {
      settings.poison = static_cast<unsigned char>(std::stoi(value, nullptr, 16));
    } else if (name == "--resident") {
      settings.resident_blocks = std::stoi(value);
    } else if (name == "--bug") {
      settings.bug = value;
    } else if (name == "--only") {
      options.only = value;
    } else {
      std::exit(2);
    }
  }
  return options;
}

}  // namespace

int main(int count, char** words) {
  const Options options = options_of(count, words);
  const std::vector<Size> few = {{7, 9}, {33, 41}}, many = {{1, 1}, {1, 33}, {34, 1}, {7, 9}, {32, 32}, {33, 65}};
  for (const Size size : options.is_small ? few : many) {
    for (const Kind kind : pictures::kKinds) {
      if (options.is_small && kind != Kind::kNoise && kind != Kind::kSpiral && kind != Kind::kBlobs) continue;
      const Batch batch = batch_of(kind, size, options.is_small ? 2 : 3);
      for (const auto& [name, check] : kChecks) {
        if (options.only.empty() || options.only == name) check(batch);
      }
    }
    if (options.only.empty() || options.only == "preprocess") check_preprocess(size);
  }
  if (options.only.empty()) {
    check_refusals();
    check_halves();
  }
  for (const std::string& failure : failures) std::printf("differs: %s\n", failure.c_str());
  for (const std::string& report : emulation::reports) std::printf("emulation: %s\n", report.c_str());
  return failures.empty() && emulation::reports.empty() ? 0 : 1;
}
