// Each row of the frame is decoded and stretched once, into one of two buffers; every row of the planes is a blend of two.
#include "icseg/preprocess.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <thread>
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

// The columns' and rows' taps, and where to write.
template <typename Value>
struct Job {
  const FrameView& frame;
  const Placement& placement;
  const float* scale;
  const float* shift;
  const Axis& columns;
  const Axis& rows;
  Value* planes;
};

// What one thread holds of the frame: a decoded row, and two that are stretched.
struct RowBuffers {
  RowBuffers(int frame_width, int width)
      : rgbx(frame_width),
        stretched{std::vector<float>(3 * static_cast<std::size_t>(width)),
                  std::vector<float>(3 * static_cast<std::size_t>(width))} {}
  std::vector<std::uint32_t> rgbx;
  std::vector<float> stretched[2];
  int held[2] = {-1, -1};
};

template <typename Value>
void resample_rows(const Job<Value>& job, RowBuffers& buffers, int from_row, int to_row) {
  const RowKernels& kernels = row_kernels();
  const Placement& placement = job.placement;
  const Taps taps{job.columns.left.data(), job.columns.right.data(), job.columns.weight.data()};
  const int width = placement.width;
  const auto stretch = [&](int row) {
    const int parity = row & 1;
    if (buffers.held[parity] == row) return;
    buffers.held[parity] = row;
    decode_row(job.frame, row, buffers.rgbx.data());
    kernels.stretch_rgbx(buffers.rgbx.data(), job.frame.width, taps, width, job.scale, job.shift,
                         buffers.stretched[parity].data(), width);
  };
  const std::size_t plane_size = static_cast<std::size_t>(placement.planes_h) * placement.planes_w;
  for (int y = from_row; y < to_row; ++y) {
    stretch(job.rows.left[y]);
    stretch(job.rows.right[y]);
    const float* top = buffers.stretched[job.rows.left[y] & 1].data();
    const float* bottom = buffers.stretched[job.rows.right[y] & 1].data();
    for (int channel = 0; channel < 3; ++channel) {
      Value* out = job.planes + channel * plane_size +
                   static_cast<std::size_t>(placement.y0 + y) * placement.planes_w + placement.x0;
      const std::size_t start = static_cast<std::size_t>(channel) * width;
      blend_into(kernels, top + start, bottom + start, job.rows.weight[y], width, out);
    }
  }
}

template <typename Value>
void fill_around(const Placement& placement, const float shift[3], Value* planes) {
  const std::size_t plane_size = static_cast<std::size_t>(placement.planes_h) * placement.planes_w;
  const int bottom = placement.y0 + placement.height, right = placement.x0 + placement.width;
  for (int channel = 0; channel < 3; ++channel) {
    Value blank;
    blend_into(row_kernels(), &shift[channel], &shift[channel], 0.0f, 1, &blank);
    const auto fill = [&](int from_row, int to_row, int from, int to) {
      for (int y = from_row; y < to_row; ++y) {
        Value* row = planes + channel * plane_size + static_cast<std::size_t>(y) * placement.planes_w;
        std::fill(row + from, row + to, blank);
      }
    };
    fill(0, placement.y0, 0, placement.planes_w);
    fill(bottom, placement.planes_h, 0, placement.planes_w);
    fill(placement.y0, bottom, 0, placement.x0);
    fill(placement.y0, bottom, right, placement.planes_w);
  }
}

template <typename Value>
void resample(const FrameView& frame, const Placement& placement, const float scale[3], const float shift[3],
              Value* planes, int threads) {
  const Axis columns(frame.width, 0, frame.width, placement.width), rows(frame.height, 0, frame.height,
                                                                        placement.height);
  const Job<Value> job{frame, placement, scale, shift, columns, rows, planes};
  const int bands = std::clamp(threads, 1, placement.height);
  const auto edge = [&](int band) {
    return static_cast<int>(static_cast<std::int64_t>(placement.height) * band / bands);
  };
  // made here: a thread of its own could not tell its caller that there is no memory
  std::vector<RowBuffers> buffers(bands, RowBuffers(frame.width, placement.width));
  std::vector<std::thread> helpers;
  helpers.reserve(bands - 1);
  int first = 0;
  try {
    for (; first < bands - 1; ++first) {
      helpers.emplace_back([&, first] { resample_rows(job, buffers[first], edge(first), edge(first + 1)); });
    }
  } catch (const std::system_error&) {
    // no more threads are to be had: this one does the rest
  }
  fill_around(placement, shift, planes);
  resample_rows(job, buffers[first], edge(first), placement.height);
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace

void preprocess(const FrameView& frame, const Placement& placement, const float scale[3], const float shift[3],
                float* planes, int threads) {
  resample(frame, placement, scale, shift, planes, threads);
}

void preprocess(const FrameView& frame, const Placement& placement, const float scale[3], const float shift[3],
                std::uint16_t* planes, int threads) {
  resample(frame, placement, scale, shift, planes, threads);
}

}  // namespace icseg
