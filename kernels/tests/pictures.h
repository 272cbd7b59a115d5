// Masks and logits that are hard: odd and thin sizes, a tile and one, empty, full, checkerboards, spirals, noise.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace pictures {

struct Size {
  int height, width;
};

enum class Kind { kEmpty, kFull, kBoard, kSpiral, kNoise, kSparse, kBlobs };
inline const std::vector<Kind> kKinds = {Kind::kEmpty, Kind::kFull,   Kind::kBoard, Kind::kSpiral,
                                         Kind::kNoise, Kind::kSparse, Kind::kBlobs};

using Bytes = std::vector<std::uint8_t>;

// A line of one pixel that winds inwards with a gap of one.
inline void draw_spiral(Bytes& mask, Size size) {
  int top = 0, left = 0, bottom = size.height - 1, right = size.width - 1;
  const auto set = [&](int y, int x) { mask[static_cast<std::size_t>(y) * size.width + x] = 1; };
  while (top <= bottom && left <= right) {
    for (int x = std::max(left - 2, 0); x <= right; ++x) set(top, x), set(bottom, std::max(x, left));
    for (int y = top; y <= bottom; ++y) set(y, right);
    for (int y = std::min(top + 2, bottom); y <= bottom; ++y) set(y, left);
    top += 2, left += 2, bottom -= 2, right -= 2;
  }
}

inline Bytes mask_of(Kind kind, Size size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes mask(static_cast<std::size_t>(size.height) * size.width, kind == Kind::kFull ? 1 : 0);
  const double share = kind == Kind::kSparse ? 0.2 : 0.55;
  if (kind == Kind::kSpiral) draw_spiral(mask, size);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      std::uint8_t& pixel = mask[static_cast<std::size_t>(y) * size.width + x];
      if (kind == Kind::kBoard) pixel = (x + y) % 2;
      if (kind == Kind::kNoise || kind == Kind::kSparse) pixel = random() < share * 4294967296.0 ? 1 : 0;
      if (kind == Kind::kBlobs) pixel = (x / 7 * 3 + y / 5 * 5 + static_cast<int>(seed)) % 4 != 0 ? 1 : 0;
    }
  }
  return mask;
}

inline std::vector<float> logits_of(Kind kind, Size size, unsigned seed) {
  const Bytes mask = mask_of(kind, size, seed);
  std::mt19937 random(seed + 1);
  std::vector<float> logits(mask.size());
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const float strength = static_cast<float>(random() % 1000) / 125.0f;  // 0 now and then: the threshold itself
    logits[i] = mask[i] != 0 ? strength : -strength;
  }
  return logits;
}

}  // namespace pictures
