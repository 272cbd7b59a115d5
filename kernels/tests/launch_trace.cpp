// Prints what every operation launches: operation, kernel, grid, threads of a block. Usage: launch_trace OBJECTS CELLS
// HEIGHT WIDTH SIDE (CELLS: side of the logits; SIDE: of the network's input).
#include <cstdio>
#include <cstdlib>

#include "cuda_emulation.h"
#include "icseg/cuda.h"

namespace {

void print(const char* operation, int status) {
  if (status != 0) std::exit(1);
  for (const emulation::Launch& launch : emulation::launches) {
    std::printf("%s %s %u %u %u %u\n", operation, launch.kernel, launch.grid.x, launch.grid.y, launch.grid.z,
                launch.block.x * launch.block.y * launch.block.z);
  }
  emulation::launches.clear();
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 6) return 2;
  int numbers[5];
  for (int i = 0; i < 5; ++i) numbers[i] = std::atoi(arguments[i + 1]);
  const auto [count, cells, height, width, side] = numbers;
  emulation::settings.is_trace = true;
  static char memory[64];  // pointers that nothing follows
  auto* floats = reinterpret_cast<float*>(memory);
  auto* words = reinterpret_cast<std::uint32_t*>(memory);
  auto* longs = reinterpret_cast<std::int64_t*>(memory);
  auto* ints = reinterpret_cast<std::int32_t*>(memory);
  auto* bytes = reinterpret_cast<std::uint8_t*>(memory);
  const double region[4] = {0, 0, static_cast<double>(cells), static_cast<double>(cells)};
  const float ones[3] = {1, 1, 1};
  const int place[4] = {0, 0, side, side};
  const int runs = 8192;
  print("clean_logits_up_to_8", icseg_clean_logits(floats, count, cells, cells, 0, 8, 0.1f, 8, -10, floats, memory, nullptr));
  print("clean_logits_any_area",
        icseg_clean_logits(floats, count, cells, cells, 0, 100, 0.1f, 100, -10, floats, memory, nullptr));
  for (const int is_exclusive : {0, 1}) {
    print(is_exclusive != 0 ? "upsample_threshold_exclusive" : "upsample_threshold",
          icseg_upsample_threshold(floats, count, cells, cells, height, width, region, 0, 1, is_exclusive, words, longs,
                                   memory, nullptr));
  }
  print("mask_statistics", icseg_mask_statistics(words, count, height, width, longs, memory, nullptr));
  print("connected_components_low_resolution",
        icseg_connected_components(words, count, cells, cells, 8, 64, ints, ints, longs, memory, nullptr));
  print("largest_component_low_resolution",
        icseg_largest_component(ints, ints, longs, count, cells, cells, 64, ints, words, nullptr));
  print("distance_peak_low_resolution", icseg_distance_peak(words, count, cells, cells, longs, memory, nullptr));
  print("mask_iou_matrix", icseg_mask_iou_matrix(words, count, words, count, height, width,
                                                 reinterpret_cast<double*>(memory), memory, nullptr));
  print("mask_nms", icseg_mask_nms(words, floats, count, height, width, 0.5, ints, ints, memory, nullptr));
  print("rle_encode", icseg_rle_encode(words, count, height, width, runs, 2 * runs, memory, ints, memory, nullptr));
  print("rle_decode",
        icseg_rle_decode(memory, ints, count, height, width, runs, 2 * runs, words, ints, memory, nullptr));
  print("contours", icseg_contours(words, count, height, width, runs, ints, ints, ints, memory, nullptr));
  print("preprocess_bgr8_fp16", icseg_preprocess(bytes, height, width, 3 * width, 1, side, side, place, ones, ones, 1,
                                                 memory, nullptr));
  print("preprocess_nv12_fp16",
        icseg_preprocess(bytes, height, width, width, 3, side, side, place, ones, ones, 1, memory, nullptr));
  print("overlay", icseg_overlay(bytes, height, width, 3 * width, words, count, memory, nullptr));
  return 0;
}
