// The innermost loops, each over one row, in one version per instruction set; the best that this processor runs is
// chosen once. No version fuses a multiplication with an addition: all give the same bits.
#pragma once

#include <cstdint>

#include "icseg/statistics.h"

namespace icseg {

// Where a row of output pixels looks in a row of input: between cells left[x] and right[x], by the weight of the right.
struct Taps {
  const std::int32_t* left;
  const std::int32_t* right;
  const float* weight;
};

// The value of a pixel at three thresholds: lower <= mask <= upper.
struct Thresholds {
  float lower, mask, upper;
};

struct BlendedRow {
  RowSums sums;
  std::int64_t area_lower, area_upper;
};

struct RowKernels {
  const char* name;

  // is_above: v > above; is_at_most: v <= at_most. Both of words_for(count) words, padding 0.
  void (*compare)(const float* values, int count, float above, float at_most, std::uint32_t* is_above,
                  std::uint32_t* is_at_most);
  // out[x] for pixels [begin, end): row[left] * (1 - weight) + row[right] * weight; the row has `cells` cells.
  void (*stretch)(const float* row, int cells, const Taps& taps, int begin, int end, float* out);
  // For the words listed: top * (1 - weight) + bottom * weight against the thresholds. Reads whole words of both rows;
  // writes words of mask_row and, for upper != lower, counts what is above the other two thresholds.
  BlendedRow (*blend_words)(const float* top, const float* bottom, float weight, const Thresholds& thresholds,
                            const std::int32_t* words, int word_count, int width, std::uint32_t* mask_row);
  // Of words [first, last) of a row.
  RowSums (*row_sums)(const std::uint32_t* row, int first, int last);
  // Bytes, nonzero = inside, to words and back to 0 and 1.
  void (*pack)(const std::uint8_t* bytes, int count, std::uint32_t* words);
  void (*unpack)(const std::uint32_t* words, int count, std::uint8_t* bytes);
  // Bits set in both.
  std::int64_t (*intersection)(const std::uint32_t* a, const std::uint32_t* b, std::int64_t words);
  // Three bytes a pixel to one word, red lowest.
  void (*widen_rgb)(const std::uint8_t* row, int count, bool is_bgr, std::uint32_t* out);
  // An even number of pixels of NV12 (a row of luma, a row of U and V) or YUYV to such words; see yuv.h.
  void (*widen_nv12)(const std::uint8_t* luma, const std::uint8_t* chroma, int count, std::uint32_t* out);
  void (*widen_yuyv)(const std::uint8_t* row, int count, std::uint32_t* out);
  // Each channel of a row of such words stretched, then scaled and shifted: planes[channel * plane_stride + x].
  void (*stretch_rgbx)(const std::uint32_t* row, int cells, const Taps& taps, int count, const float* scale, const float* shift,
                       float* planes, int plane_stride);
  // top * (1 - weight) + bottom * weight, as FP32 or FP16 (round to nearest even).
  void (*blend)(const float* top, const float* bottom, float weight, int count, float* out);
  void (*blend_half)(const float* top, const float* bottom, float weight, int count, std::uint16_t* out);
  // 32 RGB pixels: (pixel * (256 - alpha) + colour * alpha) / 256, rounded down; colour: the 96 bytes that are mixed in.
  void (*tint_word)(std::uint8_t* pixels, const std::uint8_t* colour, int alpha);
};

const RowKernels& row_kernels();

}  // namespace icseg
