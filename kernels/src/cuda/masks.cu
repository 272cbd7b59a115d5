// Launchers of the operations on bit masks.
#include "icseg/components.cuh"
#include "icseg/contours.cuh"
#include "icseg/distance.cuh"
#include "icseg/overlap.cuh"
#include "icseg/rle.cuh"
#include "launch.cuh"

using namespace icseg;
using namespace icseg::cuda;

extern "C" size_t icseg_connected_components_workspace(int count, int height, int width) {
  if (!is_batch(count, height, width)) return 0;
  const std::size_t pixels = static_cast<std::size_t>(count) * height * width;
  Pieces pieces(nullptr);
  pieces.take<std::int32_t>(pixels);
  pieces.take<std::int32_t>(pixels);
  return pieces.used();
}

extern "C" int icseg_connected_components(const uint32_t* words, int count, int height, int width, int connectivity,
                                          int capacity, int32_t* labels, int32_t* counts, int64_t* rows,
                                          void* workspace, icseg_stream stream) {
  if (!is_batch(count, height, width) || (connectivity != 4 && connectivity != 8) || capacity < 0) return ICSEG_INVALID;
  if (count == 0) return 0;
  const int pixels = height * width, row_words = words_for(width);
  Pieces pieces(workspace);
  auto* parents = pieces.take<std::int32_t>(static_cast<std::size_t>(count) * pixels);
  auto* numbers = pieces.take<std::int32_t>(static_cast<std::size_t>(count) * pixels);
  auto* table = reinterpret_cast<Counter*>(rows);
  const dim3 grid(blocks_for(pixels, kBlock), count);
  const cudaStream_t on = stream_of(stream);
  ICSEG_LAUNCH(components_start_kernel, grid, dim3(kBlock), on, pixels, parents);
  ICSEG_LAUNCH(components_unite_kernel, grid, dim3(kBlock), on, words, height, width, row_words, connectivity, parents);
  ICSEG_LAUNCH(components_number_kernel, dim3(count), dim3(kBlock), on, words, height, width, row_words, parents,
               capacity, numbers, counts, table);
  ICSEG_LAUNCH(components_label_kernel, grid, dim3(kBlock), on, words, height, width, row_words, parents, numbers,
               capacity, labels, table);
  return status();
}

extern "C" int icseg_largest_component(const int32_t* labels, const int32_t* counts, const int64_t* rows, int count,
                                       int height, int width, int capacity, int32_t* largest, uint32_t* kept,
                                       icseg_stream stream) {
  if (!is_batch(count, height, width) || capacity < 0) return ICSEG_INVALID;
  if (count == 0) return 0;
  const auto* table = reinterpret_cast<const Counter*>(rows);
  const cudaStream_t on = stream_of(stream);
  ICSEG_LAUNCH(largest_number_kernel, dim3(count), dim3(kBlock), on, table, counts, capacity, largest);
  const dim3 grid(words_for(width), blocks_for(height, kWarps), count);
  ICSEG_LAUNCH(keep_label_kernel, grid, dim3(kWarp, kWarps), on, labels, largest, height, width, kept);
  return status();
}

extern "C" size_t icseg_distance_peak_workspace(int count, int height, int width) {
  if (!is_batch(count, height, width)) return 0;
  Pieces pieces(nullptr);
  pieces.take<std::int32_t>(static_cast<std::size_t>(count) * height * width);
  pieces.take<Counter>(count);
  return pieces.used();
}

extern "C" int icseg_distance_peak(const uint32_t* words, int count, int height, int width, int64_t* peaks,
                                   void* workspace, icseg_stream stream) {
  if (!is_batch(count, height, width)) return ICSEG_INVALID;
  if (count == 0) return 0;
  const int pixels = height * width;
  Pieces pieces(workspace);
  auto* distances = pieces.take<std::int32_t>(static_cast<std::size_t>(count) * pixels);
  auto* keys = pieces.take<Counter>(count);
  const cudaStream_t on = stream_of(stream);
  cudaMemsetAsync(keys, 0, sizeof(Counter) * count, on);
  ICSEG_LAUNCH(column_distance_kernel, dim3(blocks_for(width, kBlock), count), dim3(kBlock), on, words, height, width,
               words_for(width), distances);
  ICSEG_LAUNCH(distance_key_kernel, dim3(blocks_for(pixels, kBlock), count), dim3(kBlock), on, distances, height, width,
               keys);
  ICSEG_LAUNCH(distance_peak_kernel, dim3(blocks_for(count, kBlock)), dim3(kBlock), on, keys, count, width, peaks);
  return status();
}

extern "C" size_t icseg_mask_iou_matrix_workspace(int count_a, int count_b) {
  if (count_a < 0 || count_b < 0) return 0;
  Pieces pieces(nullptr);
  pieces.take<std::int64_t>(static_cast<std::size_t>(count_a) * count_b);
  pieces.take<std::int64_t>(count_a);
  pieces.take<std::int64_t>(count_b);
  return pieces.used();
}

extern "C" int icseg_mask_iou_matrix(const uint32_t* a, int count_a, const uint32_t* b, int count_b, int height,
                                     int width, double* matrix, void* workspace, icseg_stream stream) {
  if (!is_batch(count_a, height, width) || !is_batch(count_b, height, width)) return ICSEG_INVALID;
  if (count_a == 0 || count_b == 0) return 0;
  const int mask_words = height * words_for(width);
  Pieces pieces(workspace);
  auto* both = pieces.take<std::int64_t>(static_cast<std::size_t>(count_a) * count_b);
  auto* areas_a = pieces.take<std::int64_t>(count_a);
  auto* areas_b = pieces.take<std::int64_t>(count_b);
  const cudaStream_t on = stream_of(stream);
  ICSEG_LAUNCH(intersections_kernel, dim3(count_b, count_a), dim3(kBlock), on, a, b, mask_words, both);
  ICSEG_LAUNCH(areas_kernel, dim3(count_a), dim3(kBlock), on, a, mask_words, areas_a);
  ICSEG_LAUNCH(areas_kernel, dim3(count_b), dim3(kBlock), on, b, mask_words, areas_b);
  ICSEG_LAUNCH(iou_matrix_kernel, dim3(blocks_for(static_cast<std::int64_t>(count_a) * count_b, kBlock)), dim3(kBlock),
               on, both, areas_a, areas_b, count_a, count_b, matrix);
  return status();
}

extern "C" size_t icseg_mask_nms_workspace(int count) {
  if (count < 0) return 0;
  Pieces pieces(nullptr);
  pieces.take<std::int64_t>(static_cast<std::size_t>(count) * count);
  pieces.take<std::int64_t>(count);
  pieces.take<std::int32_t>(count);
  pieces.take<std::int32_t>(count);
  return pieces.used();
}

extern "C" int icseg_mask_nms(const uint32_t* masks, const float* scores, int count, int height, int width,
                              double max_iou, int32_t* kept, int32_t* kept_count, void* workspace,
                              icseg_stream stream) {
  if (!is_batch(count, height, width) || !(max_iou >= 0 && max_iou <= 1)) return ICSEG_INVALID;
  const cudaStream_t on = stream_of(stream);
  if (count == 0) {
    cudaMemsetAsync(kept_count, 0, sizeof(std::int32_t), on);
    return status();
  }
  const int mask_words = height * words_for(width);
  Pieces pieces(workspace);
  auto* both = pieces.take<std::int64_t>(static_cast<std::size_t>(count) * count);
  auto* areas = pieces.take<std::int64_t>(count);
  auto* order = pieces.take<std::int32_t>(count);
  auto* is_gone = pieces.take<std::int32_t>(count);
  ICSEG_LAUNCH(intersections_kernel, dim3(count, count), dim3(kBlock), on, masks, masks, mask_words, both);
  ICSEG_LAUNCH(areas_kernel, dim3(count), dim3(kBlock), on, masks, mask_words, areas);
  ICSEG_LAUNCH(mask_nms_kernel, dim3(1), dim3(kBlock), on, both, areas, scores, count, max_iou, order, is_gone, kept,
               kept_count);
  return status();
}

extern "C" size_t icseg_rle_encode_workspace(int count, int width, int run_capacity) {
  if (count < 0 || width < 0 || run_capacity < 0) return 0;
  Pieces pieces(nullptr);
  pieces.take<std::int32_t>(static_cast<std::size_t>(count) * width);
  pieces.take<std::int32_t>(count);
  pieces.take<std::uint32_t>(static_cast<std::size_t>(count) * run_capacity);
  return pieces.used();
}

extern "C" int icseg_rle_encode(const uint32_t* words, int count, int height, int width, int run_capacity,
                                int text_capacity, char* texts, int32_t* lengths, void* workspace,
                                icseg_stream stream) {
  if (!is_batch(count, height, width) || run_capacity < 0 || text_capacity < 0) return ICSEG_INVALID;
  if (count == 0) return 0;
  Pieces pieces(workspace);
  auto* starts = pieces.take<std::int32_t>(static_cast<std::size_t>(count) * width);
  auto* totals = pieces.take<std::int32_t>(count);
  auto* places = pieces.take<std::uint32_t>(static_cast<std::size_t>(count) * run_capacity);
  const dim3 columns(blocks_for(width, kBlock), count);
  const int row_words = words_for(width);
  const cudaStream_t on = stream_of(stream);
  ICSEG_LAUNCH(count_changes_kernel, columns, dim3(kBlock), on, words, height, width, row_words, starts);
  ICSEG_LAUNCH(start_columns_kernel, dim3(count), dim3(kBlock), on, width, starts, totals);
  ICSEG_LAUNCH(place_changes_kernel, columns, dim3(kBlock), on, words, height, width, row_words, starts, run_capacity,
               places);
  ICSEG_LAUNCH(rle_text_kernel, dim3(count), dim3(kBlock), on, places, totals, run_capacity,
               static_cast<std::uint32_t>(height) * static_cast<std::uint32_t>(width), text_capacity, texts, lengths);
  return status();
}

extern "C" size_t icseg_rle_decode_workspace(int count, int run_capacity) {
  if (count < 0 || run_capacity < 0) return 0;
  Pieces pieces(nullptr);
  pieces.take<std::uint32_t>(static_cast<std::size_t>(count) * run_capacity);
  pieces.take<std::int32_t>(count);
  return pieces.used();
}

extern "C" int icseg_rle_decode(const char* texts, const int32_t* lengths, int count, int height, int width,
                                int run_capacity, int text_capacity, uint32_t* words, int32_t* statuses,
                                void* workspace, icseg_stream stream) {
  if (!is_batch(count, height, width) || run_capacity < 0 || text_capacity < 0) return ICSEG_INVALID;
  if (count == 0) return 0;
  Pieces pieces(workspace);
  auto* ends = pieces.take<std::uint32_t>(static_cast<std::size_t>(count) * run_capacity);
  auto* runs = pieces.take<std::int32_t>(count);
  const cudaStream_t on = stream_of(stream);
  ICSEG_LAUNCH(rle_parse_kernel, dim3(blocks_for(count, kBlock)), dim3(kBlock), on, texts, lengths, count,
               text_capacity, static_cast<std::int64_t>(height) * width, run_capacity, ends, runs, statuses);
  const dim3 grid(words_for(width), blocks_for(height, kWarps), count);
  ICSEG_LAUNCH(rle_fill_kernel, grid, dim3(kWarp, kWarps), on, ends, runs, statuses, run_capacity, height, width,
               words);
  return status();
}

extern "C" size_t icseg_contours_workspace(int count, int height, int edge_capacity) {
  if (count < 0 || height < 0 || edge_capacity < 0) return 0;
  Pieces pieces(nullptr);
  pieces.take<std::int32_t>(static_cast<std::size_t>(count) * (height + 1));
  pieces.take<Edge>(static_cast<std::size_t>(count) * edge_capacity);
  return pieces.used();
}

extern "C" int icseg_contours(const uint32_t* words, int count, int height, int width, int edge_capacity,
                              int32_t* corners, int32_t* next, int32_t* edge_counts, void* workspace,
                              icseg_stream stream) {
  if (!is_batch(count, height, width) || edge_capacity < 0 || edge_capacity > (1 << 29)) return ICSEG_INVALID;
  if (count == 0 || edge_capacity == 0) return count == 0 ? 0 : ICSEG_INVALID;
  Pieces pieces(workspace);
  auto* starts = pieces.take<std::int32_t>(static_cast<std::size_t>(count) * (height + 1));
  auto* edges = pieces.take<Edge>(static_cast<std::size_t>(count) * edge_capacity);
  const int row_words = words_for(width);
  const dim3 lines(blocks_for(height + 1, kBlock), count);
  const cudaStream_t on = stream_of(stream);
  ICSEG_LAUNCH(count_edges_kernel, lines, dim3(kBlock), on, words, height, row_words, starts);
  ICSEG_LAUNCH(start_columns_kernel, dim3(count), dim3(kBlock), on, height + 1, starts, edge_counts);
  ICSEG_LAUNCH(place_edges_kernel, lines, dim3(kBlock), on, words, height, width, row_words, starts, edge_capacity,
               edges, corners, next);
  ICSEG_LAUNCH(link_corners_kernel, dim3(blocks_for(2 * static_cast<std::int64_t>(edge_capacity), kBlock), count),
               dim3(kBlock), on, words, height, width, row_words, starts, edge_counts, edge_capacity, edges, next);
  return status();
}
