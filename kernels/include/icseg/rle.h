// COCO's run lengths of a mask: column by column, beginning with a run of outside. Source: maskApi of pycocotools.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace icseg {

std::vector<std::uint32_t> rle_counts(const std::uint32_t* words, int height, int width);

// The compressed text of run lengths, byte for byte as pycocotools writes it.
std::string rle_compress(const std::vector<std::uint32_t>& counts);

// words: height rows of words_for(width) words.
inline std::string rle_encode(const std::uint32_t* words, int height, int width) {
  return rle_compress(rle_counts(words, height, width));
}

// What is wrong with the text, or nullptr and the mask.
const char* rle_decode(std::string_view encoded, int height, int width, std::uint32_t* words);

}  // namespace icseg
