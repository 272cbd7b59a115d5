// Most of a mask needs no arithmetic: where the cells around a word of 32 pixels all lie on one side of every
// threshold, so do the pixels. Rows of output between the same two rows of cells share what is known so.
#include "icseg/upsample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "icseg/bits.h"
#include "row_kernels.h"

namespace icseg {

Axis::Axis(int cells, double origin, double span, int count) : left(count), right(count), weight(count) {
  const auto scale = static_cast<float>(span / count), shift = static_cast<float>(origin - 0.5);
  const auto last = static_cast<float>(cells - 1);
  for (int i = 0; i < count; ++i) {
    const float scaled = (static_cast<float>(i) + 0.5f) * scale;
    const float position = std::min(std::max(scaled + shift, 0.0f), last);
    left[i] = static_cast<std::int32_t>(position);
    right[i] = std::min(left[i] + 1, cells - 1);
    weight[i] = position - static_cast<float>(left[i]);
  }
}

namespace {

// Beyond this, products with a weight of 0 may not be 0: such cells are computed, not classified.
constexpr float kTame = 1e30f;
// How far from a threshold all cells must be for rounding not to carry a pixel across it: the weights add up to
// 1 within 1e-7, and three products and sums round by 6e-8 each.
constexpr float kSafety = 1e-5f;
constexpr float kSmallest = 1e-30f;

bool all_set(const std::uint32_t* bits, int first, int last) {
  for (int word = first / kWordBits; word <= last / kWordBits; ++word) {
    const int origin = word * kWordBits;
    const std::uint32_t wanted = bit_range(std::max(first - origin, 0), std::min(last + 1 - origin, kWordBits));
    if ((bits[word] & wanted) != wanted) return false;
  }
  return true;
}

class Upsampler {
 public:
  Upsampler(const UpsampleShape& shape, float threshold, float stability_offset)
      : shape_(shape),
        columns_(shape.cells_w, shape.x0, shape.x1 - shape.x0, shape.width),
        rows_(shape.cells_h, shape.y0, shape.y1 - shape.y0, shape.height),
        taps_{columns_.left.data(), columns_.right.data(), columns_.weight.data()},
        thresholds_{threshold - stability_offset, threshold, threshold + stability_offset},
        words_(words_for(shape.width)),
        cell_words_(words_for(shape.cells_w)),
        is_inside_(static_cast<std::size_t>(shape.cells_h) * cell_words_),
        is_outside_(is_inside_.size()),
        settled_(words_),
        ever_(words_),
        both_inside_(cell_words_),
        both_outside_(cell_words_) {
    for (int parity = 0; parity < 2; ++parity) {
      stretched_[parity].resize(static_cast<std::size_t>(words_) * kWordBits);
      stretched_row_[parity].resize(words_);
    }
    mixed_.reserve(words_);
  }

  MaskStatistics run(const float* logits, std::uint32_t* words) {
    logits_ = logits;
    classify_cells();
    for (auto& rows : stretched_row_) std::fill(rows.begin(), rows.end(), -1);
    std::fill(ever_.begin(), ever_.end(), 0u);
    MaskStatistics mask{};
    int top = -1, bottom = -1;
    for (int y = 0; y < shape_.height; ++y) {
      if (rows_.left[y] != top || rows_.right[y] != bottom) {
        top = rows_.left[y];
        bottom = rows_.right[y];
        begin_strip(top, bottom);
      }
      std::uint32_t* row = words + static_cast<std::size_t>(y) * words_;
      std::memcpy(row, settled_.data(), sizeof(std::uint32_t) * words_);
      RowSums sums = settled_sums_;
      mask.area_above += settled_sums_.count;
      mask.area_below += settled_sums_.count;
      if (!mixed_.empty()) {
        const BlendedRow blended = kernels_.blend_words(
            stretched_[top & 1].data(), stretched_[bottom & 1].data(), rows_.weight[y], thresholds_, mixed_.data(),
            static_cast<int>(mixed_.size()), shape_.width, row);
        sums.count += blended.sums.count;
        sums.sum_x += blended.sums.sum_x;
        sums.sum_xx += blended.sums.sum_xx;
        mask.area_above += blended.area_upper;
        mask.area_below += blended.area_lower;
        for (const std::int32_t word : mixed_) ever_[word] |= row[word];
      }
      if (sums.count == 0) continue;
      if (mask.area == 0) mask.y0 = y;
      mask.y1 = y + 1;
      add_row(mask, sums, y);
    }
    for (int word = 0; word < words_; ++word) {
      if (ever_[word] == 0) continue;
      if (mask.x1 == 0) mask.x0 = word * kWordBits + lowest_bit(ever_[word]);
      mask.x1 = word * kWordBits + highest_bit(ever_[word]) + 1;
    }
    if (thresholds_.lower == thresholds_.upper) mask.area_above = mask.area_below = mask.area;
    return mask;
  }

  // The interpolated value of one pixel, rounded as the row kernels round it.
  float value_at(const float* logits, int x, int y) const {
    const auto along = [&](int row) {
      const float* cells = logits + static_cast<std::size_t>(row) * shape_.cells_w;
      const float weight = columns_.weight[x];
      return cells[columns_.left[x]] * (1.0f - weight) + cells[columns_.right[x]] * weight;
    };
    const float weight = rows_.weight[y];
    return along(rows_.left[y]) * (1.0f - weight) + along(rows_.right[y]) * weight;
  }

 private:
  // Which cells are clearly above every threshold, and which clearly below.
  void classify_cells() {
    const float high = thresholds_.upper + std::fabs(thresholds_.upper) * kSafety + kSmallest;
    const float low = thresholds_.lower - std::fabs(thresholds_.lower) * kSafety - kSmallest;
    for (int row = 0; row < shape_.cells_h; ++row) {
      const float* cells = logits_ + static_cast<std::size_t>(row) * shape_.cells_w;
      std::uint32_t* inside = &is_inside_[static_cast<std::size_t>(row) * cell_words_];
      std::uint32_t* outside = &is_outside_[static_cast<std::size_t>(row) * cell_words_];
      kernels_.compare(cells, shape_.cells_w, high, low, inside, outside);
      kernels_.compare(cells, shape_.cells_w, -kTame, kTame, both_inside_.data(), both_outside_.data());
      for (int word = 0; word < cell_words_; ++word) {
        inside[word] &= both_outside_[word];
        outside[word] &= both_inside_[word];
      }
    }
  }

  // Everything that the output rows between two rows of cells have in common.
  void begin_strip(int top, int bottom) {
    for (int word = 0; word < cell_words_; ++word) {
      const std::size_t a = static_cast<std::size_t>(top) * cell_words_ + word;
      const std::size_t b = static_cast<std::size_t>(bottom) * cell_words_ + word;
      both_inside_[word] = is_inside_[a] & is_inside_[b];
      both_outside_[word] = is_outside_[a] & is_outside_[b];
    }
    mixed_.clear();
    for (int word = 0; word < words_; ++word) {
      const int begin = word * kWordBits, end = std::min(begin + kWordBits, shape_.width);
      const int first = columns_.left[begin], last = columns_.right[end - 1];
      settled_[word] = 0;
      if (all_set(both_inside_.data(), first, last)) {
        settled_[word] = word + 1 == words_ ? last_word_bits(shape_.width) : ~0u;
        ever_[word] |= settled_[word];
      } else if (!all_set(both_outside_.data(), first, last)) {
        mixed_.push_back(word);
        stretch_word(top, word, begin, end);
        stretch_word(bottom, word, begin, end);
      }
    }
    settled_sums_ = kernels_.row_sums(settled_.data(), 0, words_);
  }

  // Neighbouring rows of cells have different parity, so the two of a strip never share a buffer.
  void stretch_word(int row, int word, int begin, int end) {
    std::int32_t& held = stretched_row_[row & 1][word];
    if (held == row) return;
    held = row;
    kernels_.stretch(logits_ + static_cast<std::size_t>(row) * shape_.cells_w, shape_.cells_w, taps_, begin, end,
                     stretched_[row & 1].data());
  }

  const UpsampleShape shape_;
  const Axis columns_, rows_;
  const Taps taps_;
  const Thresholds thresholds_;
  const int words_, cell_words_;
  const RowKernels& kernels_ = row_kernels();
  const float* logits_ = nullptr;
  std::vector<std::uint32_t> is_inside_, is_outside_;
  std::vector<std::uint32_t> settled_;  // the words of a strip that are known without arithmetic
  std::vector<std::uint32_t> ever_;     // the rows so far, ored together
  std::vector<std::uint32_t> both_inside_, both_outside_;
  std::vector<std::int32_t> mixed_;
  RowSums settled_sums_{};
  std::vector<float> stretched_[2];
  std::vector<std::int32_t> stretched_row_[2];  // of which row of cells each word of the buffer is
};

}  // namespace

void upsample_threshold(const float* logits, int count, const UpsampleShape& shape, float threshold,
                        float stability_offset, bool is_exclusive, std::uint32_t* words, MaskStatistics* statistics) {
  Upsampler upsampler(shape, threshold, stability_offset);
  const std::size_t cells = static_cast<std::size_t>(shape.cells_h) * shape.cells_w;
  const int row_words = words_for(shape.width);
  const std::size_t mask_words = static_cast<std::size_t>(shape.height) * row_words;
  for (int n = 0; n < count; ++n) statistics[n] = upsampler.run(logits + n * cells, words + n * mask_words);
  if (!is_exclusive || count < 2) return;
  for (std::size_t at = 0; at < mask_words; ++at) {
    std::uint32_t any = 0, shared = 0;
    for (int n = 0; n < count; ++n) {
      shared |= any & words[n * mask_words + at];
      any |= words[n * mask_words + at];
    }
    for (; shared != 0; shared &= shared - 1) {
      const int bit = lowest_bit(shared), y = static_cast<int>(at / row_words);
      const int x = static_cast<int>(at % row_words) * kWordBits + bit;
      int best = -1;
      float best_value = 0;
      for (int n = 0; n < count; ++n) {
        std::uint32_t& word = words[n * mask_words + at];
        if (!(word >> bit & 1u)) continue;
        const float value = upsampler.value_at(logits + n * cells, x, y);
        word &= ~(1u << bit);
        if (best < 0 || value > best_value) {
          best = n;
          best_value = value;
        }
      }
      words[best * mask_words + at] |= 1u << bit;
    }
  }
  for (int n = 0; n < count; ++n) {
    const std::int64_t above = statistics[n].area_above, below = statistics[n].area_below;
    statistics[n] = mask_statistics(words + n * mask_words, shape.height, shape.width);
    statistics[n].area_above = above;
    statistics[n].area_below = below;
  }
}

}  // namespace icseg
