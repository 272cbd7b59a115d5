// COCO's run lengths of bit masks; see icseg/rle.h.
#pragma once

#include "icseg/components.cuh"

namespace icseg::cuda {

// Whether a pixel differs from the one before it, column by column.
__device__ inline bool is_change(const std::uint32_t* mask, int row_words, int height, int x, int y) {
  const bool before = y > 0 ? is_set(mask, row_words, y - 1, x) : x > 0 && is_set(mask, row_words, height - 1, x - 1);
  return is_set(mask, row_words, y, x) != before;
}

// One thread a column, masks in y.
__global__ void count_changes_kernel(const std::uint32_t* words, int height, int width, int row_words,
                                     std::int32_t* starts) {
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (x >= width) return;
  const std::uint32_t* mask = words + static_cast<std::size_t>(blockIdx.y) * height * row_words;
  std::int32_t count = 0;
  for (int y = 0; y < height; ++y) count += is_change(mask, row_words, height, x, y) ? 1 : 0;
  starts[static_cast<std::size_t>(blockIdx.y) * width + x] = count;
}

// Counts of columns to the place where each column's changes begin; totals: changes of the mask. One block a mask.
__global__ void start_columns_kernel(int width, std::int32_t* starts, std::int32_t* totals) {
  ICSEG_SHARED(std::int32_t, partial, kWarps);
  std::int32_t* of_mask = starts + static_cast<std::size_t>(blockIdx.x) * width;
  std::int32_t before = 0;
  for (int first = 0; first < width; first += kBlock) {
    const int x = first + static_cast<int>(threadIdx.x);
    std::int32_t all;
    const std::int32_t start = block_scan(x < width ? of_mask[x] : 0, partial, all);
    if (x < width) of_mask[x] = before + start;
    before += all;
  }
  if (threadIdx.x == 0) totals[blockIdx.x] = before;
}

// places: capacity a mask; changes beyond it are dropped, and the total tells. One thread a column, masks in y.
__global__ void place_changes_kernel(const std::uint32_t* words, int height, int width, int row_words,
                                     const std::int32_t* starts, int capacity, std::uint32_t* places) {
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (x >= width) return;
  const std::uint32_t* mask = words + static_cast<std::size_t>(blockIdx.y) * height * row_words;
  std::int32_t at = starts[static_cast<std::size_t>(blockIdx.y) * width + x];
  for (int y = 0; y < height; ++y) {
    if (!is_change(mask, row_words, height, x, y)) continue;
    if (at < capacity) {
      places[static_cast<std::size_t>(blockIdx.y) * capacity + at] = static_cast<std::uint32_t>(x) * height + y;
    }
    ++at;
  }
}

// The number that stands for run i: its length, from the fourth on less that of the run two before.
__device__ inline std::int64_t run_value(const std::uint32_t* places, std::int32_t changes, std::uint32_t pixels,
                                         std::int32_t i) {
  const auto end = [&](std::int32_t run) {
    return static_cast<std::int64_t>(run < 0 ? 0u : run < changes ? places[run] : pixels);
  };
  const std::int64_t length = end(i) - end(i - 1);
  return i > 2 ? length - (end(i - 2) - end(i - 3)) : length;
}

// Why a text was refused, in the order of icseg::rle_decode's messages.
enum RleStatus : std::int32_t {
  kRleFine,
  kRleCharacter,
  kRleLongNumber,
  kRleOverfull,
  kRleCutOff,
  kRleUnderfull,
  kRleNoRoom,  // more runs than the capacity
};

// Where each run of a text ends. One thread a mask: a number's place depends on all before it.
__global__ void rle_parse_kernel(const char* texts, const std::int32_t* lengths, int masks, int text_capacity,
                                 std::int64_t pixels, int capacity, std::uint32_t* ends, std::int32_t* runs,
                                 std::int32_t* statuses) {
  const int mask = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (mask >= masks) return;
  const char* text = texts + static_cast<std::size_t>(mask) * text_capacity;
  std::uint32_t* of_mask = ends + static_cast<std::size_t>(mask) * capacity;
  std::int64_t place = 0, before = 0, two_before = 0, value = 0;
  std::int32_t run = 0, status = lengths[mask] < 0 || lengths[mask] > text_capacity ? kRleCutOff : kRleFine;
  int shift = 0;
  for (std::int32_t i = 0; status == kRleFine && i < lengths[mask]; ++i) {
    const int group = text[i] - 48;
    if (group < 0 || group > 63) {
      status = kRleCharacter;
    } else if (shift > 30) {
      status = kRleLongNumber;
    } else {
      value |= static_cast<std::int64_t>(group & 0x1f) << shift;
      shift += 5;
      if ((group & 0x20) != 0) continue;
      if ((group & 0x10) != 0) value -= std::int64_t{1} << shift;
      if (run > 2) value += two_before;
      if (value < 0 || value > pixels - place) {
        status = kRleOverfull;
      } else if (run == capacity) {
        status = kRleNoRoom;
      } else {
        place += value;
        of_mask[run++] = static_cast<std::uint32_t>(place);
        two_before = before;
        before = value;
        value = 0;
        shift = 0;
      }
    }
  }
  if (status == kRleFine && shift != 0) status = kRleCutOff;
  if (status == kRleFine && place != pixels) status = kRleUnderfull;
  statuses[mask] = status;
  runs[mask] = run;
}

// Every pixel looks for its run: inside is a run of an odd number. A refused text gives an empty mask. grid: words of a
// row, ceil(height / 8), masks; block: 32 x 8.
__global__ void rle_fill_kernel(const std::uint32_t* ends, const std::int32_t* runs, const std::int32_t* statuses,
                                int capacity, int height, int width, std::uint32_t* words) {
  const int x = static_cast<int>(blockIdx.x * kWarp + threadIdx.x);
  const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y), mask = static_cast<int>(blockIdx.z);
  if (y >= height) return;  // the same for all lanes of a warp
  const std::uint32_t* of_mask = ends + static_cast<std::size_t>(mask) * capacity;
  const std::uint32_t place = static_cast<std::uint32_t>(x) * static_cast<std::uint32_t>(height) + y;
  std::int32_t low = 0, high = statuses[mask] == kRleFine && x < width ? runs[mask] : 0;
  while (low < high) {
    const std::int32_t middle = (low + high) / 2;
    if (of_mask[middle] <= place) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const bool is_inside = statuses[mask] == kRleFine && x < width && low % 2 == 1;
  const std::uint32_t word = __ballot_sync(kAllLanes, is_inside);
  if (threadIdx.x == 0) words[(static_cast<std::size_t>(mask) * height + y) * gridDim.x + blockIdx.x] = word;
}

// Five bits a character, low group first, with a bit that more follow. Writes where `text` is not null.
__device__ inline std::int32_t write_number(std::int64_t value, char* text) {
  std::int32_t length = 0;
  for (bool has_more = true; has_more; ++length) {
    const std::int64_t group = value & 0x1f;
    value >>= 5;
    has_more = value != ((group & 0x10) != 0 ? -1 : 0);
    if (text != nullptr) text[length] = static_cast<char>((has_more ? group | 0x20 : group) + 48);
  }
  return length;
}

// texts: text_capacity bytes a mask; lengths: what the whole text takes, or -1 if the changes did not fit. One block a mask.
__global__ void rle_text_kernel(const std::uint32_t* places, const std::int32_t* totals, int capacity,
                                std::uint32_t pixels, int text_capacity, char* texts, std::int32_t* lengths) {
  ICSEG_SHARED(std::int32_t, partial, kWarps);
  const std::int32_t changes = totals[blockIdx.x];
  if (changes > capacity) {  // the same for all threads
    if (threadIdx.x == 0) lengths[blockIdx.x] = -1;
    return;
  }
  const std::uint32_t* of_mask = places + static_cast<std::size_t>(blockIdx.x) * capacity;
  char* text = texts + static_cast<std::size_t>(blockIdx.x) * text_capacity;
  std::int32_t before = 0;
  for (std::int32_t first = 0; first <= changes; first += kBlock) {
    const std::int32_t run = first + static_cast<std::int32_t>(threadIdx.x);
    const std::int64_t value = run <= changes ? run_value(of_mask, changes, pixels, run) : 0;
    const std::int32_t length = run <= changes ? write_number(value, nullptr) : 0;
    std::int32_t all;
    const std::int32_t start = before + block_scan(length, partial, all);
    if (length > 0 && start + length <= text_capacity) write_number(value, text + start);
    before += all;
  }
  if (threadIdx.x == 0) lengths[blockIdx.x] = before;
}

}  // namespace icseg::cuda
