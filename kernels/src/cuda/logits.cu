// Launchers of the operations on logits.
#include "icseg/fill.cuh"
#include "icseg/upsample.cuh"
#include "launch.cuh"

namespace icseg::cuda {
namespace {

bool is_small(std::int64_t hole_area, std::int64_t sprinkle_area) {
  return hole_area <= kHalo && sprinkle_area <= kHalo;
}

std::int32_t as_area(std::int64_t area) { return static_cast<std::int32_t>(area < 0x7fffffff ? area : 0x7fffffff); }

AxisMap axis_of(int cells, double from, double to, int count) {
  return {static_cast<float>((to - from) / count), static_cast<float>(from - 0.5), static_cast<float>(cells - 1)};
}

struct StatisticsPieces {
  Pieces pieces;
  unsigned* tickets;
  Counter* alone;  // an exclusive batch: the statistics of each object by itself

  StatisticsPieces(void* workspace, int count)
      : pieces(workspace), tickets(pieces.take<unsigned>(count)),
        alone(pieces.take<Counter>(static_cast<std::size_t>(count) * kStatisticsFields)) {}
};

std::size_t statistics_bytes(int count) { return sizeof(Counter) * kStatisticsFields * static_cast<std::size_t>(count); }

void count_masks(const std::uint32_t* words, int count, int height, int width, Counter* totals, unsigned* tickets,
                 cudaStream_t stream) {
  cudaMemsetAsync(totals, 0, statistics_bytes(count), stream);
  cudaMemsetAsync(tickets, 0, sizeof(unsigned) * count, stream);
  const dim3 grid(words_for(width), blocks_for(height, kBlockRows), count);
  ICSEG_LAUNCH(mask_statistics_kernel, grid, dim3(kWarp, kWarps), stream, words, height, width, totals, tickets);
}

float as_logit(float value, const float*) { return value; }
std::uint16_t as_logit(float value, const std::uint16_t*) { return half_bits(value); }

template <typename Logit>
int clean(const Logit* logits, int count, int height, int width, float threshold, std::int64_t hole_area,
          float hole_value, std::int64_t sprinkle_area, float sprinkle_value, Logit* cleaned, void* workspace,
          cudaStream_t stream) {
  if (!is_batch(count, height, width) || hole_area < 0 || sprinkle_area < 0) return ICSEG_INVALID;
  if (count == 0) return 0;
  const Limits<Logit> limits{threshold, as_area(hole_area), as_area(sprinkle_area), as_logit(hole_value, logits),
                             as_logit(sprinkle_value, logits)};
  if (is_small(hole_area, sprinkle_area)) {
    const dim3 tiles(blocks_for(width, kTile), blocks_for(height, kTile), count);
    ICSEG_LAUNCH(clean_small_kernel<Logit>, tiles, dim3(kBlock), stream, logits, height, width, limits, cleaned);
    return status();
  }
  if (workspace == nullptr) return ICSEG_INVALID;
  const int cells = height * width;
  Pieces pieces(workspace);
  auto* parents = pieces.take<std::int32_t>(static_cast<std::size_t>(count) * cells);
  auto* areas = pieces.take<std::int32_t>(static_cast<std::size_t>(count) * cells);
  const dim3 grid(blocks_for(cells, kBlock), count);
  ICSEG_LAUNCH(clean_start_kernel, grid, dim3(kBlock), stream, cells, parents, areas);
  ICSEG_LAUNCH(clean_unite_kernel<Logit>, grid, dim3(kBlock), stream, logits, height, width, threshold, parents);
  ICSEG_LAUNCH(clean_count_kernel, grid, dim3(kBlock), stream, cells, parents, areas);
  ICSEG_LAUNCH(clean_apply_kernel<Logit>, grid, dim3(kBlock), stream, logits, cells, limits, parents, areas, cleaned);
  return status();
}

template <typename Logit>
int upsample(const Logit* logits, int count, int cells_h, int cells_w, int height, int width, const double region[4],
             float threshold, float stability_offset, bool is_exclusive, std::uint32_t* words,
             std::int64_t* statistics, void* workspace, cudaStream_t stream) {
  if (!is_batch(count, height, width) || !is_batch(count, cells_h, cells_w) || !(stability_offset >= 0) ||
      !(region[2] > region[0]) || !(region[3] > region[1])) {
    return ICSEG_INVALID;
  }
  if (count == 0) return 0;
  const AxisMap columns = axis_of(cells_w, region[0], region[2], width);
  const AxisMap rows = axis_of(cells_h, region[1], region[3], height);
  const Levels levels{threshold - stability_offset, threshold, threshold + stability_offset};
  const StatisticsPieces pieces(workspace, count);
  auto* totals = reinterpret_cast<Counter*>(statistics);
  Counter* first = is_exclusive ? pieces.alone : totals;
  cudaMemsetAsync(first, 0, statistics_bytes(count), stream);
  cudaMemsetAsync(pieces.tickets, 0, sizeof(unsigned) * count, stream);
  const int row_words = words_for(width);
  const dim3 grid(row_words, blocks_for(height, kBlockRows), count);
  ICSEG_LAUNCH(upsample_threshold_kernel<Logit>, grid, dim3(kWarp, kWarps), stream, logits, cells_h, cells_w, columns,
               rows, height, width, levels, words, first, pieces.tickets);
  if (!is_exclusive) return status();
  const dim3 all_words(blocks_for(static_cast<std::int64_t>(height) * row_words, kBlock));
  ICSEG_LAUNCH(resolve_overlaps_kernel<Logit>, all_words, dim3(kBlock), stream, logits, count, cells_h, cells_w,
               columns, rows, height, row_words, words);
  count_masks(words, count, height, width, totals, pieces.tickets, stream);
  ICSEG_LAUNCH(keep_stability_kernel, dim3(count), dim3(2), stream, first, totals);
  return status();
}

}  // namespace
}  // namespace icseg::cuda

using namespace icseg;
using namespace icseg::cuda;

extern "C" size_t icseg_clean_logits_workspace(int count, int height, int width, int64_t hole_area,
                                               int64_t sprinkle_area) {
  if (!is_batch(count, height, width) || is_small(hole_area, sprinkle_area)) return 0;
  const std::size_t cells = static_cast<std::size_t>(count) * height * width;
  Pieces pieces(nullptr);
  pieces.take<std::int32_t>(cells);
  pieces.take<std::int32_t>(cells);
  return pieces.used();
}

extern "C" int icseg_clean_logits(const float* logits, int count, int height, int width, float threshold,
                                  int64_t hole_area, float hole_value, int64_t sprinkle_area, float sprinkle_value,
                                  float* cleaned, void* workspace, icseg_stream stream) {
  return clean(logits, count, height, width, threshold, hole_area, hole_value, sprinkle_area, sprinkle_value, cleaned,
               workspace, stream_of(stream));
}

extern "C" int icseg_clean_logits_half(const uint16_t* logits, int count, int height, int width, float threshold,
                                       int64_t hole_area, float hole_value, int64_t sprinkle_area,
                                       float sprinkle_value, uint16_t* cleaned, void* workspace,
                                       icseg_stream stream) {
  return clean(logits, count, height, width, threshold, hole_area, hole_value, sprinkle_area, sprinkle_value, cleaned,
               workspace, stream_of(stream));
}

extern "C" size_t icseg_mask_statistics_workspace(int count) {
  return StatisticsPieces(nullptr, count < 0 ? 0 : count).pieces.used();
}

extern "C" int icseg_mask_statistics(const uint32_t* words, int count, int height, int width, int64_t* statistics,
                                     void* workspace, icseg_stream stream) {
  if (!is_batch(count, height, width)) return ICSEG_INVALID;
  if (count == 0) return 0;
  const StatisticsPieces pieces(workspace, count);
  count_masks(words, count, height, width, reinterpret_cast<Counter*>(statistics), pieces.tickets, stream_of(stream));
  return status();
}

extern "C" size_t icseg_upsample_threshold_workspace(int count) { return icseg_mask_statistics_workspace(count); }

extern "C" int icseg_upsample_threshold(const float* logits, int count, int cells_h, int cells_w, int height, int width,
                                        const double region[4], float threshold, float stability_offset,
                                        int is_exclusive, uint32_t* words, int64_t* statistics, void* workspace,
                                        icseg_stream stream) {
  return upsample(logits, count, cells_h, cells_w, height, width, region, threshold, stability_offset,
                  is_exclusive != 0, words, statistics, workspace, stream_of(stream));
}

extern "C" int icseg_upsample_threshold_half(const uint16_t* logits, int count, int cells_h, int cells_w, int height,
                                             int width, const double region[4], float threshold,
                                             float stability_offset, int is_exclusive, uint32_t* words,
                                             int64_t* statistics, void* workspace, icseg_stream stream) {
  return upsample(logits, count, cells_h, cells_w, height, width, region, threshold, stability_offset,
                  is_exclusive != 0, words, statistics, workspace, stream_of(stream));
}
