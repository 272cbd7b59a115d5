// Launchers of the operations on frames, and between masks of bytes and of bits.
#include "icseg/frames.cuh"
#include "launch.cuh"

using namespace icseg;
using namespace icseg::cuda;

extern "C" int icseg_preprocess(const uint8_t* pixels, int height, int width, ptrdiff_t step, int encoding,
                                int planes_h, int planes_w, const int place[4], const float scale[3],
                                const float shift[3], int is_half, void* planes, icseg_stream stream) {
  const bool is_known = encoding >= 0 && encoding <= static_cast<int>(Encoding::kYuyv);
  if (!is_known || !is_batch(1, height, width) || !is_batch(1, planes_h, planes_w)) return ICSEG_INVALID;
  const auto kind = static_cast<Encoding>(encoding);
  const bool is_yuv = kind == Encoding::kNv12 || kind == Encoding::kYuyv;
  if (step < row_bytes(kind, width) || (is_yuv && width % 2 != 0) || (kind == Encoding::kNv12 && height % 2 != 0)) {
    return ICSEG_INVALID;
  }
  const Placement placement{planes_h, planes_w, place[0], place[1], place[3], place[2]};
  if (place[0] < 0 || place[1] < 0 || place[2] < 1 || place[3] < 1 || place[2] > planes_w - place[0] ||
      place[3] > planes_h - place[1]) {
    return ICSEG_INVALID;
  }
  const auto axis = [](int cells, int count) {
    return AxisMap{static_cast<float>(static_cast<double>(cells) / count), -0.5f, static_cast<float>(cells - 1)};
  };
  const AxisMap columns = axis(width, placement.width), rows = axis(height, placement.height);
  const FrameView frame{pixels, height, width, step, kind};
  const Normalisation normalisation{{scale[0], scale[1], scale[2]}, {shift[0], shift[1], shift[2]}};
  const dim3 grid(blocks_for(planes_w, kWarp), blocks_for(planes_h, kWarps)), block(kWarp, kWarps);
  const cudaStream_t on = stream_of(stream);
  if (is_half != 0) {
    auto* out = static_cast<std::uint16_t*>(planes);
    ICSEG_LAUNCH(preprocess_kernel<std::uint16_t>, grid, block, on, frame, placement, columns, rows, normalisation,
                 out);
  } else {
    auto* out = static_cast<float*>(planes);
    ICSEG_LAUNCH(preprocess_kernel<float>, grid, block, on, frame, placement, columns, rows, normalisation, out);
  }
  return status();
}

extern "C" int icseg_overlay(uint8_t* pixels, int height, int width, ptrdiff_t step, const uint32_t* masks, int count,
                             const void* styles, icseg_stream stream) {
  static_assert(sizeof(Style) == 16, "as icseg/cuda.h says");
  if (!is_batch(count, height, width) || step < 3 * static_cast<ptrdiff_t>(width)) return ICSEG_INVALID;
  if (count == 0) return 0;
  const dim3 grid(blocks_for(width, kWarp), blocks_for(height, kWarps));
  const auto* of_styles = static_cast<const Style*>(styles);
  ICSEG_LAUNCH(overlay_kernel, grid, dim3(kWarp, kWarps), stream_of(stream), pixels, height, width, step, masks, count,
               words_for(width), of_styles);
  return status();
}

extern "C" int icseg_pack_masks(const uint8_t* bytes, int count, int height, int width, uint32_t* words,
                                icseg_stream stream) {
  if (!is_batch(count, height, width)) return ICSEG_INVALID;
  if (count == 0) return 0;
  const dim3 grid(words_for(width), blocks_for(height, kWarps), count);
  ICSEG_LAUNCH(pack_kernel, grid, dim3(kWarp, kWarps), stream_of(stream), bytes, height, width, words);
  return status();
}

extern "C" int icseg_unpack_masks(const uint32_t* words, int count, int height, int width, uint8_t* bytes,
                                  icseg_stream stream) {
  if (!is_batch(count, height, width)) return ICSEG_INVALID;
  if (count == 0) return 0;
  const dim3 grid(words_for(width), blocks_for(height, kWarps), count);
  ICSEG_LAUNCH(unpack_kernel, grid, dim3(kWarp, kWarps), stream_of(stream), words, height, width, bytes);
  return status();
}
