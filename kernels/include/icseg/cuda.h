/* The mask operations on an NVIDIA GPU: one C interface for every language. Source: the kernels in icseg/(name).cuh.
 *
 * Every function puts work on the stream and returns: it allocates nothing and waits for nothing, so it can be captured
 * in a CUDA graph. Pointers are to memory that the GPU can reach; masks are count x height x words rows of 32-bit words as
 * in icseg/bits.h. A workspace is as large as the function's ..._workspace says, in bytes, aligned to 16, and is free
 * again when the stream has passed. Returns 0, ICSEG_INVALID for arguments out of range, or the cudaError_t of a launch.
 */
#ifndef ICSEG_CUDA_H
#define ICSEG_CUDA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ICSEG_INVALID (-1)

typedef void* icseg_stream; /* a cudaStream_t */

/* icseg/fill.h. Areas up to 8 take one launch and no workspace; larger ones four launches. */
size_t icseg_clean_logits_workspace(int count, int height, int width, int64_t hole_area, int64_t sprinkle_area);
int icseg_clean_logits(const float* logits, int count, int height, int width, float threshold, int64_t hole_area,
                       float hole_value, int64_t sprinkle_area, float sprinkle_value, float* cleaned, void* workspace,
                       icseg_stream stream);
/* The same of FP16 logits, given as their bits, which TensorRT's engines give; the values are rounded to FP16. */
int icseg_clean_logits_half(const uint16_t* logits, int count, int height, int width, float threshold,
                            int64_t hole_area, float hole_value, int64_t sprinkle_area, float sprinkle_value,
                            uint16_t* cleaned, void* workspace, icseg_stream stream);

/* icseg/upsample.h. region: x0, y0, x1, y1 in cells (host memory). statistics: count x 12 int64 as MaskStatistics. */
size_t icseg_upsample_threshold_workspace(int count);
int icseg_upsample_threshold(const float* logits, int count, int cells_h, int cells_w, int height, int width,
                             const double region[4], float threshold, float stability_offset, int is_exclusive,
                             uint32_t* words, int64_t* statistics, void* workspace, icseg_stream stream);
/* The same of FP16 logits; what is interpolated is FP32. */
int icseg_upsample_threshold_half(const uint16_t* logits, int count, int cells_h, int cells_w, int height, int width,
                                  const double region[4], float threshold, float stability_offset, int is_exclusive,
                                  uint32_t* words, int64_t* statistics, void* workspace, icseg_stream stream);

/* icseg/statistics.h */
size_t icseg_mask_statistics_workspace(int count);
int icseg_mask_statistics(const uint32_t* words, int count, int height, int width, int64_t* statistics, void* workspace,
                          icseg_stream stream);

/* icseg/components.h. labels: count x height x width, 0 outside, else the component's number + 1. counts: components of
 * each mask; rows: count x capacity x 7 int64, of the first `capacity` of them. */
size_t icseg_connected_components_workspace(int count, int height, int width);
int icseg_connected_components(const uint32_t* words, int count, int height, int width, int connectivity, int capacity,
                               int32_t* labels, int32_t* counts, int64_t* rows, void* workspace, icseg_stream stream);

/* Of what icseg_connected_components gave. largest: one number a mask, a workspace of the caller's. */
int icseg_largest_component(const int32_t* labels, const int32_t* counts, const int64_t* rows, int count, int height,
                            int width, int capacity, int32_t* largest, uint32_t* kept, icseg_stream stream);

/* icseg/distance.h. peaks: count x 3 int64: x, y, squared distance; -1, -1, 0 of an empty mask. */
size_t icseg_distance_peak_workspace(int count, int height, int width);
int icseg_distance_peak(const uint32_t* words, int count, int height, int width, int64_t* peaks, void* workspace,
                        icseg_stream stream);

/* icseg/overlap.h. matrix: count_a x count_b. A score that is NaN counts as the lowest. */
size_t icseg_mask_iou_matrix_workspace(int count_a, int count_b);
int icseg_mask_iou_matrix(const uint32_t* a, int count_a, const uint32_t* b, int count_b, int height, int width,
                          double* matrix, void* workspace, icseg_stream stream);
size_t icseg_mask_nms_workspace(int count);
int icseg_mask_nms(const uint32_t* masks, const float* scores, int count, int height, int width, double max_iou,
                   int32_t* kept, int32_t* kept_count, void* workspace, icseg_stream stream);

/* icseg/rle.h. texts: count x text_capacity; lengths: what each text takes, cut off where that is more than the capacity,
 * or -1 where the mask has more than run_capacity changes. */
size_t icseg_rle_encode_workspace(int count, int width, int run_capacity);
int icseg_rle_encode(const uint32_t* words, int count, int height, int width, int run_capacity, int text_capacity,
                     char* texts, int32_t* lengths, void* workspace, icseg_stream stream);

/* texts, lengths: as icseg_rle_encode gives them. statuses: 0, or why a text was refused: 1 a character that cannot be, 2 a
 * number of more than 35 bits, 3 runs beyond the mask, 4 cut off within a number, 5 runs that do not fill the mask, 6 more
 * than run_capacity runs; the mask is empty then. */
size_t icseg_rle_decode_workspace(int count, int run_capacity);
int icseg_rle_decode(const char* texts, const int32_t* lengths, int count, int height, int width, int run_capacity,
                     int text_capacity, uint32_t* words, int32_t* statuses, void* workspace, icseg_stream stream);

/* icseg/contours.h. corners: count x edge_capacity x 2 pairs of x, y; next: the number of the corner that follows on each
 * one's polygon; edge_counts: horizontal edges of each mask, two corners each. A mask with more than edge_capacity edges
 * is not linked. Polygons are had by following `next` from each corner that was not met yet, in the order of the corners.
 */
size_t icseg_contours_workspace(int count, int height, int edge_capacity);
int icseg_contours(const uint32_t* words, int count, int height, int width, int edge_capacity, int32_t* corners,
                   int32_t* next, int32_t* edge_counts, void* workspace, icseg_stream stream);

/* icseg/preprocess.h. encoding: 0 RGB8, 1 BGR8, 2 RGBA8, 3 NV12, 4 YUYV. place: x, y, width, height in the planes;
 * scale, shift, place: host memory. planes: 3 x planes_h x planes_w FP32, or FP16 where is_half. */
int icseg_preprocess(const uint8_t* pixels, int height, int width, ptrdiff_t step, int encoding, int planes_h,
                     int planes_w, const int place[4], const float scale[3], const float shift[3], int is_half,
                     void* planes, icseg_stream stream);

/* icseg/overlay.h. styles: count x 16 bytes: fill RGB, outline RGB, two bytes of nothing, alpha 0..256 and whether there
 * is an outline as int32. */
int icseg_overlay(uint8_t* pixels, int height, int width, ptrdiff_t step, const uint32_t* masks, int count,
                  const void* styles, icseg_stream stream);

/* icseg/packing.h */
int icseg_pack_masks(const uint8_t* bytes, int count, int height, int width, uint32_t* words, icseg_stream stream);
int icseg_unpack_masks(const uint32_t* words, int count, int height, int width, uint8_t* bytes, icseg_stream stream);

#ifdef __cplusplus
}
#endif

#endif
