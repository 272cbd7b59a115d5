#include "icseg/rle.h"

#include <algorithm>
#include <cstddef>

#include "icseg/bits.h"

namespace icseg {
namespace {

// Calls visit(y, words in which a set bit is a pixel that differs from the one before it in column order).
template <typename Visit>
void for_each_change_row(const std::uint32_t* words, int height, int width, Visit visit) {
  const int count = words_for(width);
  std::vector<std::uint32_t> changes(count);
  const std::uint32_t* last = words + static_cast<std::size_t>(height - 1) * count;
  std::uint32_t carry = 0;  // what comes before the first pixel of the first column is outside
  for (int word = 0; word < count; ++word) {
    changes[word] = words[word] ^ ((last[word] << 1) | carry);
    carry = last[word] >> 31;
  }
  changes[count - 1] &= last_word_bits(width);
  visit(0, changes.data());
  for (int y = 1; y < height; ++y) {
    const std::uint32_t* row = words + static_cast<std::size_t>(y) * count;
    for (int word = 0; word < count; ++word) changes[word] = row[word] ^ row[word - count];
    visit(y, changes.data());
  }
}

}  // namespace

// Rows are read as they lie in memory; the changes are sorted into columns by counting.
std::vector<std::uint32_t> rle_counts(const std::uint32_t* words, int height, int width) {
  if (height == 0 || width == 0) return {};
  const int count = words_for(width);
  // How many changes each column has, as binary numbers of which plane p holds bit p: a word counts 32 columns at once.
  std::vector<std::vector<std::uint32_t>> planes;
  std::vector<std::uint32_t> carry(count);
  for_each_change_row(words, height, width, [&](int, const std::uint32_t* changes) {
    std::copy(changes, changes + count, carry.begin());
    std::uint32_t has_carry = 1;
    for (std::size_t p = 0; has_carry != 0; ++p) {
      if (p == planes.size()) planes.emplace_back(count, 0u);
      std::uint32_t* plane = planes[p].data();
      has_carry = 0;
      for (int word = 0; word < count; ++word) {
        const std::uint32_t next = plane[word] & carry[word];
        plane[word] ^= carry[word];
        carry[word] = next;
        has_carry |= next;
      }
    }
  });
  std::vector<std::uint32_t> ends(static_cast<std::size_t>(width) + 1, 0);
  for (std::size_t p = 0; p < planes.size(); ++p) {
    for_each_bit(planes[p].data(), count, [&](int x) { ends[x + 1] += 1u << p; });
  }
  for (int x = 0; x < width; ++x) ends[x + 1] += ends[x];
  std::vector<std::uint32_t> places(ends[width] + 1);
  places.back() = static_cast<std::uint32_t>(height) * static_cast<std::uint32_t>(width);
  for_each_change_row(words, height, width, [&](int y, const std::uint32_t* changes) {
    for_each_bit(changes, count, [&](int x) {
      places[ends[x]++] = static_cast<std::uint32_t>(x) * static_cast<std::uint32_t>(height) + y;
    });
  });
  for (std::size_t i = places.size() - 1; i > 0; --i) places[i] -= places[i - 1];
  return places;
}

std::string rle_compress(const std::vector<std::uint32_t>& counts) {
  constexpr std::size_t kChunk = 4096, kLongest = 8;  // characters of one number: 33 bits in groups of five, and room
  std::string text;
  char chunk[kChunk];
  char* end = chunk;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::int64_t value = counts[i];
    if (i > 2) value -= counts[i - 2];
    // neighbouring runs mostly differ by little: one character
    while (value < -16 || value > 15) {
      *end++ = static_cast<char>(((value & 0x1f) | 0x20) + 48);
      value >>= 5;
    }
    *end++ = static_cast<char>((value & 0x1f) + 48);
    if (end > chunk + kChunk - kLongest) {
      text.append(chunk, end);
      end = chunk;
    }
  }
  return text.append(chunk, end);
}

const char* rle_decode(std::string_view encoded, int height, int width, std::uint32_t* words) {
  const int count = words_for(width);
  std::fill(words, words + static_cast<std::size_t>(height) * count, 0u);
  const std::int64_t pixels = static_cast<std::int64_t>(height) * width;
  std::int64_t place = 0, before = 0, two_before = 0, value = 0;
  int shift = 0;
  std::size_t runs = 0;
  bool is_inside = false;
  // Of the place: counted along, because most runs end in the column where they begin, and a division is slow.
  int x = 0, y = 0;
  const auto advance = [&](std::int64_t by) {
    const std::int64_t below = y + by;
    if (below < height || by == 0) {  // a mask may have no rows
      y = static_cast<int>(below);
    } else {
      x += static_cast<int>(below / height);
      y = static_cast<int>(below % height);
    }
  };
  // Row 0 gets each column's first pixel, every other row the pixels that differ from the one above.
  const auto change = [&] {
    if (y != 0) words[static_cast<std::size_t>(y) * count + x / kWordBits] ^= 1u << (x % kWordBits);
  };
  for (const char character : encoded) {
    const int group = character - 48;
    if (group < 0 || group > 63) return "expected characters from '0' to 'o'";
    if (shift > 30) return "expected numbers of at most 35 bits";
    value |= static_cast<std::int64_t>(group & 0x1f) << shift;
    shift += 5;
    if ((group & 0x20) != 0) continue;
    // the sign, without a branch: of noise every second one would be guessed wrong
    value -= static_cast<std::int64_t>((group >> 4) & 1) << shift;
    if (runs > 2) value += two_before;
    if (value < 0 || value > pixels - place) return "expected runs of at least 0 that fill the mask, no more";
    if (is_inside && value > 0) {
      change();
      const int first = x + (y > 0);
      advance(value);
      change();
      if (const int end = x + (y > 0); first < end) set_bits(words, first, end);
    } else {
      advance(value);
    }
    place += value;
    is_inside = !is_inside;
    two_before = before;
    before = value;
    ++runs;
    value = 0;
    shift = 0;
  }
  if (shift != 0) return "the text ends within a number";
  if (place != pixels) return "expected runs that fill the mask, got fewer";
  for (std::size_t at = count; at < static_cast<std::size_t>(height) * count; ++at) words[at] ^= words[at - count];
  return nullptr;
}

}  // namespace icseg
