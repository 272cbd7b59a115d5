#include "icseg/packing.h"

#include "icseg/bits.h"
#include "row_kernels.h"

namespace icseg {

void pack_mask(const std::uint8_t* bytes, int height, int width, std::uint32_t* words) {
  for (std::int64_t y = 0; y < height; ++y) row_kernels().pack(bytes + y * width, width, words + y * words_for(width));
}

void unpack_mask(const std::uint32_t* words, int height, int width, std::uint8_t* bytes) {
  for (std::int64_t y = 0; y < height; ++y) {
    row_kernels().unpack(words + y * words_for(width), width, bytes + y * width);
  }
}

const char* instruction_set() { return row_kernels().name; }

}  // namespace icseg
