// Bit masks: how a mask is packed, and the few operations on words that every mask operation needs.
//
// Pixel x of a row is bit x % 32 of word x / 32, so on a little-endian machine a row is numpy's
// packbits(bitorder="little"), padded to whole words. Bits past the width are 0 in every mask given and returned.
#pragma once

#include <cstdint>

namespace icseg {

constexpr int kWordBits = 32;

constexpr int words_for(int width) { return (width + kWordBits - 1) / kWordBits; }

// Of the last word of a row: the bits that are pixels.
constexpr std::uint32_t last_word_bits(int width) {
  return width % kWordBits == 0 ? ~0u : (1u << (width % kWordBits)) - 1u;
}

inline int count_bits(std::uint32_t word) { return __builtin_popcount(word); }
inline int lowest_bit(std::uint32_t word) { return __builtin_ctz(word); }
inline int highest_bit(std::uint32_t word) { return 31 - __builtin_clz(word); }

inline bool bit_at(const std::uint32_t* row, int x) { return (row[x / kWordBits] >> (x % kWordBits)) & 1u; }

// Bits [begin, end) of one word; 0 <= begin <= end <= 32.
inline std::uint32_t bit_range(int begin, int end) {
  return static_cast<std::uint32_t>((std::uint64_t{1} << end) - (std::uint64_t{1} << begin));
}

// Sets pixels [begin, end) of a row.
inline void set_bits(std::uint32_t* row, int begin, int end) {
  for (int word = begin / kWordBits; word * kWordBits < end; ++word) {
    const int origin = word * kWordBits;
    row[word] |= bit_range(begin > origin ? begin - origin : 0, end < origin + kWordBits ? end - origin : kWordBits);
  }
}

// Calls visit(x) for the position x of every set bit of a row of `words` words, from the left.
template <typename Visit>
void for_each_bit(const std::uint32_t* row, int words, Visit visit) {
  for (int word = 0; word < words; ++word) {
    for (std::uint32_t left = row[word]; left != 0; left &= left - 1) visit(word * kWordBits + lowest_bit(left));
  }
}

// Calls visit(begin, end) for every run of set bits of a row, from the left.
template <typename Visit>
void for_each_run(const std::uint32_t* row, int words, Visit visit) {
  int begin = -1;
  std::uint32_t before = 0;  // the last pixel of the word before
  for (int word = 0; word < words; ++word) {
    const std::uint32_t bits = row[word];
    for (std::uint32_t edges = bits ^ ((bits << 1) | before); edges != 0; edges &= edges - 1) {
      const int x = word * kWordBits + lowest_bit(edges);
      if (begin < 0) {
        begin = x;
      } else {
        visit(begin, x);
        begin = -1;
      }
    }
    before = bits >> 31;
  }
  if (begin >= 0) visit(begin, words * kWordBits);
}

}  // namespace icseg
