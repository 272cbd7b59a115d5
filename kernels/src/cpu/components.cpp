#include "icseg/components.h"

#include <algorithm>

#include "icseg/statistics.h"

namespace icseg {

std::int32_t Components::root(std::int32_t run) {
  while (parents_[run] != run) {
    parents_[run] = parents_[parents_[run]];
    run = parents_[run];
  }
  return run;
}

// The lower number becomes the root: it is the run that comes first in row order.
void Components::join(std::int32_t a, std::int32_t b) {
  a = root(a);
  b = root(b);
  if (a != b) parents_[std::max(a, b)] = std::min(a, b);
}

Components::Components(const std::uint32_t* words, int height, int width, int connectivity) {
  const int count = words_for(width), reach = connectivity == 8 ? 1 : 0;
  std::int32_t above = 0, above_end = 0;  // runs of the row above
  for (int y = 0; y < height; ++y) {
    const auto first = static_cast<std::int32_t>(runs_.size());
    for_each_run(words + static_cast<std::int64_t>(y) * count, count, [&](int begin, int end) {
      const auto number = static_cast<std::int32_t>(runs_.size());
      runs_.push_back({y, begin, std::min(end, width), 0});
      parents_.push_back(number);
      while (above < above_end && runs_[above].end + reach <= begin) ++above;
      // the last one that touches may touch the next run too, so it is looked at again
      for (std::int32_t touching = above; touching < above_end && runs_[touching].begin < end + reach; ++touching) {
        join(touching, number);
      }
    });
    above = first;
    above_end = static_cast<std::int32_t>(runs_.size());
  }
  for (std::int32_t number = 0; number < static_cast<std::int32_t>(runs_.size()); ++number) {
    Run& run = runs_[number];
    const std::int32_t top = root(number);
    if (top == number) {
      run.component = static_cast<std::int32_t>(components_.size());
      components_.push_back({0, run.begin, run.row, run.end, run.row + 1, 0, 0});
    } else {
      run.component = runs_[top].component;
    }
    Component& whole = components_[run.component];
    const RowSums sums = run_sums(run.begin, run.end);
    whole.area += sums.count;
    whole.x0 = std::min<std::int64_t>(whole.x0, run.begin);
    whole.x1 = std::max<std::int64_t>(whole.x1, run.end);
    whole.y1 = run.row + 1;  // runs come row by row
    whole.sum_x += sums.sum_x;
    whole.sum_y += sums.count * run.row;
  }
}

std::int64_t largest_component(const std::uint32_t* words, int height, int width, int connectivity,
                               std::uint32_t* kept) {
  const int count = words_for(width);
  std::fill(kept, kept + static_cast<std::int64_t>(height) * count, 0u);
  const Components found(words, height, width, connectivity);
  const auto& all = found.components();
  if (all.empty()) return 0;
  const auto largest = std::max_element(all.begin(), all.end(),
                                        [](const Component& a, const Component& b) { return a.area < b.area; });
  const auto number = static_cast<std::int32_t>(largest - all.begin());
  for (const Run& run : found.runs()) {
    if (run.component == number) set_bits(kept + static_cast<std::int64_t>(run.row) * count, run.begin, run.end);
  }
  return largest->area;
}

}  // namespace icseg
