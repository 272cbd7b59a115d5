#include "icseg/contours.h"

#include <cstddef>

#include "icseg/bits.h"

namespace icseg {
namespace {

// Corners are made line by line in pairs, the two ends of a horizontal edge. Where an edge leaves a corner downwards, the
// corner waits at its x for the line on which the vertical edge ends.
class CornerSweep {
 public:
  CornerSweep(const std::uint32_t* words, int height, int width)
      : words_(words), nothing_(words_for(width), 0u), waiting_(static_cast<std::size_t>(width) + 1, -1),
        count_(words_for(width)), height_(height), width_(width) {
    std::vector<std::uint32_t> edges(count_);
    for (int y = 0; y <= height; ++y) {
      const std::uint32_t *above = line(y - 1), *below = line(y);
      std::uint32_t any = 0;
      for (int word = 0; word < count_; ++word) any |= edges[word] = above[word] ^ below[word];
      if (any != 0) add_line(edges.data(), above, below, y);
    }
  }

  Contours polygons() const {
    Contours found;
    std::vector<bool> is_done(xy_.size() / 2, false);
    for (std::int32_t start = 0; start < static_cast<std::int32_t>(is_done.size()); ++start) {
      if (is_done[start]) continue;
      std::int32_t corner = start;
      do {
        is_done[corner] = true;
        found.xy.push_back(xy_[2 * corner]);
        found.xy.push_back(xy_[2 * corner + 1]);
        corner = next_[corner];
      } while (corner != start);
      found.ends.push_back(static_cast<std::int32_t>(found.xy.size() / 2));
    }
    return found;
  }

 private:
  const std::uint32_t* line(int y) const {
    return y < 0 || y >= height_ ? nothing_.data() : words_ + static_cast<std::size_t>(y) * count_;
  }

  void add_line(const std::uint32_t* edges, const std::uint32_t* above, const std::uint32_t* below, int y) {
    for_each_run(edges, count_, [&](int begin, int end) {
      // a run of edges changes direction where the mask changes sides
      for (int x = begin; x < end;) {
        const bool is_below = bit_at(below, x);
        int stop = x + 1;
        while (stop < end && bit_at(below, stop) == is_below) ++stop;
        add_edge(x, stop, y, is_below, above, below);
        x = stop;
      }
    });
  }

  // The mask lies below: the edge runs to the right; above: to the left.
  void add_edge(int left, int right, int y, bool is_below, const std::uint32_t* above, const std::uint32_t* below) {
    const auto number = static_cast<std::int32_t>(xy_.size() / 2);
    xy_.insert(xy_.end(), {left, y, right, y});
    next_.insert(next_.end(), {-1, -1});
    if (is_below) {
      next_[number] = number + 1;
    } else {
      next_[number + 1] = number;
    }
    join_vertical(number, left, !is_below, is_below, above, below);
    join_vertical(number + 1, right, is_below, is_below, above, below);
  }

  // Joins a corner to the vertical edge above or below it. Where both are there, two pieces of mask touch at the corner;
  // the outline that has the mask below its horizontal edge takes the edge above, so that the two pieces are one.
  void join_vertical(std::int32_t corner, int x, bool is_head, bool is_below, const std::uint32_t* above,
                     const std::uint32_t* below) {
    const bool has_above = pixel(above, x - 1) != pixel(above, x), has_below = pixel(below, x - 1) != pixel(below, x);
    if (has_above && (is_below || !has_below)) {
      // of a touching pair the left edge comes first: the right one finds its place taken
      const std::int32_t other = has_below && !is_head ? passed_ : waiting_[x];
      next_[is_head ? corner : other] = is_head ? other : corner;
    } else {
      passed_ = waiting_[x];
      waiting_[x] = corner;
    }
  }

  bool pixel(const std::uint32_t* row, int x) const { return x >= 0 && x < width_ && bit_at(row, x); }

  const std::uint32_t* words_;
  const std::vector<std::uint32_t> nothing_;
  std::vector<std::int32_t> waiting_;
  const int count_, height_, width_;
  std::int32_t passed_ = -1;  // who waited at the latest place that was taken
  std::vector<std::int32_t> xy_, next_;
};

}  // namespace

Contours contours(const std::uint32_t* words, int height, int width) {
  return CornerSweep(words, height, width).polygons();
}

}  // namespace icseg
