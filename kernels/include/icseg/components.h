// Connected components of a bit mask, found over runs of pixels rather than over pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "icseg/bits.h"

namespace icseg {

struct Run {
  std::int32_t row, begin, end;  // pixels [begin, end)
  std::int32_t component;        // from 0, in the order in which the components' first pixels are met row by row
};

struct Component {
  std::int64_t area, x0, y0, x1, y1;  // exclusive right and lower edges
  std::int64_t sum_x, sum_y;
};
constexpr int kComponentFields = 7;

class Components {
 public:
  // connectivity: 4 or 8.
  Components(const std::uint32_t* words, int height, int width, int connectivity);

  const std::vector<Run>& runs() const { return runs_; }
  const std::vector<Component>& components() const { return components_; }

 private:
  std::int32_t root(std::int32_t run);
  void join(std::int32_t a, std::int32_t b);

  std::vector<Run> runs_;
  std::vector<std::int32_t> parents_;
  std::vector<Component> components_;
};

// The component with the most pixels, the first of them in row order if several are as large; an empty mask stays empty.
// kept: height rows of words_for(width) words. Returns its area.
std::int64_t largest_component(const std::uint32_t* words, int height, int width, int connectivity,
                               std::uint32_t* kept);

}  // namespace icseg
