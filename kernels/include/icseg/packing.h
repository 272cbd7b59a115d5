// Byte masks to bit masks and back, a whole mask at a time.
#pragma once

#include <cstdint>

namespace icseg {

// bytes: height x width, 0 = outside, anything else = inside.
void pack_mask(const std::uint8_t* bytes, int height, int width, std::uint32_t* words);

// bytes become 0 and 1.
void unpack_mask(const std::uint32_t* words, int height, int width, std::uint8_t* bytes);

// The instruction set that the operations use on this processor: "avx512", "avx2", "plain" (SSE2, NEON or none).
const char* instruction_set();

}  // namespace icseg
