// SAM 2's clean-up of mask logits: small holes are filled, small pieces removed. Source: fill_holes_in_mask_scores and
// SAM2Transforms.postprocess_masks of the sam2 project; 8-connected, a component touches the border or not alike.
#pragma once

#include <cstdint>

namespace icseg {

struct CleanLimits {
  float threshold;             // inside is logit > threshold; outside is logit <= threshold; NaN is neither
  std::int64_t hole_area;      // largest area of a hole that is filled; 0: none
  float hole_value;            // what a filled cell becomes
  std::int64_t sprinkle_area;  // largest area of a piece that is removed; 0: none
  float sprinkle_value;
};

// Holes and pieces are both those of the logits given. logits, cleaned: height x width, may not overlap.
void clean_logits(const float* logits, int height, int width, const CleanLimits& limits, float* cleaned);

}  // namespace icseg
