#include "icseg/overlay.h"

#include <vector>

#include "icseg/bits.h"
#include "row_kernels.h"

namespace icseg {
namespace {

// The pixels of a word whose four neighbours are all inside.
std::uint32_t inner_bits(const std::uint32_t* row, const std::uint32_t* above, const std::uint32_t* below, int word,
                         int words) {
  const std::uint32_t before = word == 0 ? 0 : row[word - 1] >> 31, after = word + 1 == words ? 0 : row[word + 1] << 31;
  return row[word] & ((row[word] << 1) | before) & ((row[word] >> 1) | after) & above[word] & below[word];
}

void paint(std::uint8_t* pixels, std::uint32_t bits, const std::uint8_t colour[3]) {
  for (; bits != 0; bits &= bits - 1) {
    std::uint8_t* pixel = pixels + 3 * lowest_bit(bits);
    pixel[0] = colour[0];
    pixel[1] = colour[1];
    pixel[2] = colour[2];
  }
}

}  // namespace

void overlay(std::uint8_t* pixels, int height, int width, std::ptrdiff_t step, const std::uint32_t* masks, int count,
             const OverlayStyle* styles) {
  const RowKernels& kernels = row_kernels();
  const int words = words_for(width);
  const std::vector<std::uint32_t> outside(words, 0u);
  for (int n = 0; n < count; ++n) {
    const OverlayStyle& style = styles[n];
    std::uint8_t colour[3 * kWordBits];
    for (int i = 0; i < 3 * kWordBits; ++i) colour[i] = style.fill[i % 3];
    for (int y = 0; y < height; ++y) {
      const std::uint32_t* row = masks + (static_cast<std::size_t>(n) * height + y) * words;
      const std::uint32_t* above = y == 0 ? outside.data() : row - words;
      const std::uint32_t* below = y + 1 == height ? outside.data() : row + words;
      for (int word = 0; word < words; ++word) {
        const std::uint32_t bits = row[word];
        if (bits == 0) continue;
        std::uint8_t* place = pixels + y * step + 3 * word * kWordBits;
        if (bits == ~0u) {
          kernels.tint_word(place, colour, style.alpha);
        } else {
          for (std::uint32_t left = bits; left != 0; left &= left - 1) {
            std::uint8_t* pixel = place + 3 * lowest_bit(left);
            for (int channel = 0; channel < 3; ++channel) {
              const int sum = pixel[channel] * (256 - style.alpha) + style.fill[channel] * style.alpha;
              pixel[channel] = static_cast<std::uint8_t>(sum >> 8);
            }
          }
        }
        if (style.has_outline) paint(place, bits & ~inner_bits(row, above, below, word, words), style.outline);
      }
    }
  }
}

}  // namespace icseg
