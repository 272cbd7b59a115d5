// Each row of the frame is decoded and stretched once, into one of two buffers; every row of the planes is a blend of two.
#include "icseg/preprocess.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "icseg/upsample.h"
#include "row_kernels.h"

namespace icseg {
namespace {

void decode_row(const FrameView& frame, int y, std::uint32_t* rgbx) {
  const std::uint8_t* row = frame.pixels + y * frame.step;
  switch (frame.encoding) {
    case Encoding::kRgb8:
    case Encoding::kBgr8:
      row_kernels().widen_rgb(row, frame.width, frame.encoding == Encoding::kBgr8, rgbx);
      return;
    case Encoding::kRgba8:
      std::memcpy(rgbx, row, static_cast<std::size_t>(frame.width) * 4);
      return;
    case Encoding::kNv12: {
      const std::uint8_t* chroma = frame.pixels + (frame.height + y / 2) * frame.step;
      row_kernels().widen_nv12(row, chroma, frame.width, rgbx);
      return;
    }
    case Encoding::kYuyv:
      row_kernels().widen_yuyv(row, frame.width, rgbx);
      return;
  }
}

void blend_into(const RowKernels& kernels, const float* top, const float* bottom, float weight, int count, float* out) {
  kernels.blend(top, bottom, weight, count, out);
}
void blend_into(const RowKernels& kernels, const float* top, const float* bottom, float weight, int count,
                std::uint16_t* out) {
  kernels.blend_half(top, bottom, weight, count, out);
}

template <typename Value>
void resample(const FrameView& frame, const Placement& placement, const float scale[3], const float shift[3],
              Value* planes) {
  const RowKernels& kernels = row_kernels();
  const Axis columns(frame.width, 0, frame.width, placement.width), rows(frame.height, 0, frame.height,
                                                                        placement.height);
  const Taps taps{columns.left.data(), columns.right.data(), columns.weight.data()};
  const int width = placement.width;
  std::vector<std::uint32_t> rgbx(frame.width);
  std::vector<float> stretched[2] = {std::vector<float>(3 * static_cast<std::size_t>(width)),
                                     std::vector<float>(3 * static_cast<std::size_t>(width))};
  int held[2] = {-1, -1};
  const auto stretch = [&](int row) {
    const int parity = row & 1;
    if (held[parity] == row) return;
    held[parity] = row;
    decode_row(frame, row, rgbx.data());
    kernels.stretch_rgbx(rgbx.data(), frame.width, taps, width, scale, shift, stretched[parity].data(), width);
  };
  const std::size_t plane_size = static_cast<std::size_t>(placement.planes_h) * placement.planes_w;
  for (int channel = 0; channel < 3; ++channel) {
    Value blank;
    blend_into(kernels, &shift[channel], &shift[channel], 0.0f, 1, &blank);
    const auto fill = [&](int from_row, int to_row, int from, int to) {
      for (int y = from_row; y < to_row; ++y) {
        Value* row = planes + channel * plane_size + static_cast<std::size_t>(y) * placement.planes_w;
        std::fill(row + from, row + to, blank);
      }
    };
    const int bottom = placement.y0 + placement.height, right = placement.x0 + width;
    fill(0, placement.y0, 0, placement.planes_w);
    fill(bottom, placement.planes_h, 0, placement.planes_w);
    fill(placement.y0, bottom, 0, placement.x0);
    fill(placement.y0, bottom, right, placement.planes_w);
  }
  for (int y = 0; y < placement.height; ++y) {
    stretch(rows.left[y]);
    stretch(rows.right[y]);
    const float* top = stretched[rows.left[y] & 1].data();
    const float* bottom = stretched[rows.right[y] & 1].data();
    for (int channel = 0; channel < 3; ++channel) {
      Value* out = planes + channel * plane_size +
                   static_cast<std::size_t>(placement.y0 + y) * placement.planes_w + placement.x0;
      const std::size_t start = static_cast<std::size_t>(channel) * width;
      blend_into(kernels, top + start, bottom + start, rows.weight[y], width, out);
    }
  }
}

}  // namespace

void preprocess(const FrameView& frame, const Placement& placement, const float scale[3], const float shift[3],
                float* planes) {
  resample(frame, placement, scale, shift, planes);
}

void preprocess(const FrameView& frame, const Placement& placement, const float scale[3], const float shift[3],
                std::uint16_t* planes) {
  resample(frame, placement, scale, shift, planes);
}

}  // namespace icseg
