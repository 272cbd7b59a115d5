// Compiled once per instruction set with ICSEG_ISA set to its name. Nothing here may be shared between the versions:
// an inline function of a common header could be kept in the version of the wrong processor.
#include "row_kernels.h"

#include <cstdint>

#include "icseg/yuv.h"
#include "simd.h"

namespace icseg {
namespace ICSEG_ISA {
namespace {

constexpr int kWord = 32;

inline std::uint32_t pixels_of(int word, int width) {
  const int left = width - word * kWord;
  return left >= kWord ? ~0u : (1u << left) - 1u;
}

// What a byte of a mask adds: count in bits 0-7, sum of places in 8-15, sum of their squares in 16-31.
struct ByteSums {
  std::uint32_t of[256];
  constexpr ByteSums() : of() {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      for (std::uint32_t place = 0; place < 8; ++place) {
        if (byte >> place & 1u) of[byte] += 1u | place << 8 | place * place << 16;
      }
    }
  }
};
constexpr ByteSums kByteSums;

inline void add_word(RowSums& sums, std::uint32_t bits, std::int64_t origin) {
  std::int64_t count = 0, sum = 0, squares = 0;
  if (bits == ~0u) {
    count = 32, sum = 496, squares = 10416;
  } else {
    for (std::uint32_t byte = 0; byte < 4; ++byte) {
      const std::uint32_t packed = kByteSums.of[bits >> (8 * byte) & 0xffu];
      const std::int64_t n = packed & 0xffu, s = packed >> 8 & 0xffu, start = 8 * byte;
      count += n;
      sum += s + start * n;
      squares += (packed >> 16) + 2 * start * s + start * start * n;
    }
  }
  sums.count += count;
  sums.sum_x += sum + origin * count;
  sums.sum_xx += squares + 2 * origin * sum + origin * origin * count;
}

void compare(const float* values, int count, float above, float at_most, std::uint32_t* is_above,
             std::uint32_t* is_at_most) {
  const Floats high = spread(above), low = spread(at_most);
  for (int word = 0; word * kWord < count; ++word) {
    const float* from = values + word * kWord;
    std::uint32_t bits_above = 0, bits_at_most = 0;
    if (count - word * kWord >= kWord) {
      for (int i = 0; i < kWord; i += kLanes) {
        const Floats lanes = load(from + i);
        bits_above |= above_bits(lanes, high) << i;
        bits_at_most |= at_most_bits(lanes, low) << i;
      }
    } else {
      for (int i = 0; i < count - word * kWord; ++i) {
        bits_above |= static_cast<std::uint32_t>(from[i] > above) << i;
        bits_at_most |= static_cast<std::uint32_t>(from[i] <= at_most) << i;
      }
    }
    is_above[word] = bits_above;
    is_at_most[word] = bits_at_most;
  }
}

void stretch(const float* row, [[maybe_unused]] int cells, const Taps& taps, int begin, int end, float* out) {
  int x = begin;
#if !defined(ICSEG_SCALAR) && defined(__AVX512VL__)
  for (; x + 16 <= end && can_permute(taps.left + x, taps.right + x); x += 16) {
    const Cells from = cells_from(row, taps.left[x], cells);
    const __m512 weight = _mm512_loadu_ps(taps.weight + x), rest = _mm512_sub_ps(_mm512_set1_ps(1.0f), weight);
    const __m512 left = _mm512_castsi512_ps(pick(from, taps.left + x));
    const __m512 right = _mm512_castsi512_ps(pick(from, taps.right + x));
    _mm512_storeu_ps(out + x, _mm512_add_ps(_mm512_mul_ps(left, rest), _mm512_mul_ps(right, weight)));
  }
#endif
#if !defined(ICSEG_SCALAR) && defined(__AVX2__)
  const __m256 one = _mm256_set1_ps(1.0f);
  for (; x + 8 <= end; x += 8) {
    const __m256 weight = _mm256_loadu_ps(taps.weight + x);
    const __m256i left = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(taps.left + x));
    const __m256i right = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(taps.right + x));
    const __m256 from_left = _mm256_mul_ps(_mm256_i32gather_ps(row, left, 4), _mm256_sub_ps(one, weight));
    _mm256_storeu_ps(out + x, _mm256_add_ps(from_left, _mm256_mul_ps(_mm256_i32gather_ps(row, right, 4), weight)));
  }
#endif
  for (; x < end; ++x) {
    out[x] = row[taps.left[x]] * (1.0f - taps.weight[x]) + row[taps.right[x]] * taps.weight[x];
  }
}

template <bool kWithBounds>
BlendedRow blend_words_of(const float* top, const float* bottom, float weight, const Thresholds& thresholds,
                          const std::int32_t* words, int word_count, int width, std::uint32_t* mask_row) {
  const Floats from_top = spread(1.0f - weight), from_bottom = spread(weight);
  const Floats lower = spread(thresholds.lower), middle = spread(thresholds.mask), upper = spread(thresholds.upper);
  BlendedRow row{};
  for (int i = 0; i < word_count; ++i) {
    const int word = words[i];
    const float* a = top + word * kWord;
    const float* b = bottom + word * kWord;
    std::uint32_t bits = 0, bits_lower = 0, bits_upper = 0;
    for (int lane = 0; lane < kWord; lane += kLanes) {
      const Floats value = plus(times(load(a + lane), from_top), times(load(b + lane), from_bottom));
      bits |= above_bits(value, middle) << lane;
      if (kWithBounds) {
        bits_lower |= above_bits(value, lower) << lane;
        bits_upper |= above_bits(value, upper) << lane;
      }
    }
    const std::uint32_t pixels = pixels_of(word, width);
    bits &= pixels;
    mask_row[word] = bits;
    if (bits != 0) add_word(row.sums, bits, static_cast<std::int64_t>(word) * kWord);
    if (kWithBounds) {
      row.area_lower += __builtin_popcount(bits_lower & pixels);
      row.area_upper += __builtin_popcount(bits_upper & pixels);
    }
  }
  return row;
}

BlendedRow blend_words(const float* top, const float* bottom, float weight, const Thresholds& thresholds,
                       const std::int32_t* words, int word_count, int width, std::uint32_t* mask_row) {
  const bool with_bounds = thresholds.lower != thresholds.upper;
  return (with_bounds ? blend_words_of<true> : blend_words_of<false>)(top, bottom, weight, thresholds, words,
                                                                      word_count, width, mask_row);
}

RowSums row_sums(const std::uint32_t* row, int first, int last) {
  RowSums sums{};
  for (int word = first; word < last; ++word) {
    if (row[word] != 0) add_word(sums, row[word], static_cast<std::int64_t>(word) * kWord);
  }
  return sums;
}

void pack(const std::uint8_t* bytes, int count, std::uint32_t* words) {
  const int whole = count / kWord;
  for (int word = 0; word < whole; ++word) words[word] = nonzero_bits(bytes + word * kWord);
  if (count % kWord != 0) {
    std::uint32_t bits = 0;
    for (int i = 0; i < count % kWord; ++i) bits |= static_cast<std::uint32_t>(bytes[whole * kWord + i] != 0) << i;
    words[whole] = bits;
  }
}

void unpack(const std::uint32_t* words, int count, std::uint8_t* bytes) {
  const int whole = count / kWord;
  for (int word = 0; word < whole; ++word) spread_bits(words[word], bytes + word * kWord);
  for (int i = whole * kWord; i < count; ++i) bytes[i] = words[whole] >> (i % kWord) & 1u;
}

std::int64_t intersection(const std::uint32_t* a, const std::uint32_t* b, std::int64_t words) {
  std::int64_t count = 0, i = 0;
  for (; i + 2 <= words; i += 2) {
    std::uint64_t left, right;
    __builtin_memcpy(&left, a + i, 8);
    __builtin_memcpy(&right, b + i, 8);
    count += __builtin_popcountll(left & right);
  }
  if (i < words) count += __builtin_popcount(a[i] & b[i]);
  return count;
}

void widen_rgb(const std::uint8_t* row, int count, bool is_bgr, std::uint32_t* out) {
  int x = 0;
#if !defined(ICSEG_SCALAR) && defined(__AVX2__)
  const __m128i order = is_bgr ? _mm_setr_epi8(2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1)
                               : _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
  for (; x + 6 <= count; x += 4) {  // reads 16 bytes, of which 12 are used
    const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 3 * x));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + x), _mm_shuffle_epi8(four, order));
  }
#endif
  const int red = is_bgr ? 2 : 0;
  for (; x < count; ++x) {
    const std::uint8_t* pixel = row + 3 * x;
    out[x] = pixel[red] | static_cast<std::uint32_t>(pixel[1]) << 8 | static_cast<std::uint32_t>(pixel[2 - red]) << 16;
  }
}

struct YuvPair {
  std::int32_t luma[2], u, v;
};

// Two pixels as one word of 64 bits; arithmetic without branches, for the compiler to make vectors of.
inline std::uint64_t rgbx_pair(const YuvPair& pair) {
  constexpr std::int32_t kHalf = 1 << (kYuvShift - 1);
  const auto channel = [](std::int32_t sum) {
    const std::int32_t value = sum >> kYuvShift;
    return static_cast<std::uint32_t>(value < 0 ? 0 : value > 255 ? 255 : value);
  };
  const std::int32_t blueness = pair.u - 128, redness = pair.v - 128;
  const std::int32_t red = kVToR * redness + kHalf, blue = kUToB * blueness + kHalf;
  const std::int32_t green = kVToG * redness + kUToG * blueness + kHalf;
  std::uint64_t words[2];
  for (int i = 0; i < 2; ++i) {
    const std::int32_t above_black = pair.luma[i] - 16;
    const std::int32_t light = (above_black < 0 ? 0 : above_black) * kYScale;
    words[i] = channel(light + red) | channel(light + green) << 8 | channel(light + blue) << 16;
  }
  return words[0] | words[1] << 32;
}

constexpr int kPairBlock = 64;

template <typename Pair>
inline void widen_pairs(int pairs, std::uint32_t* out, Pair pair) {
  std::uint64_t words[kPairBlock];
  for (int start = 0; start < pairs; start += kPairBlock) {
    const int size = pairs - start < kPairBlock ? pairs - start : kPairBlock;
    for (int i = 0; i < size; ++i) words[i] = rgbx_pair(pair(start + i));
    __builtin_memcpy(out + 2 * start, words, sizeof(std::uint64_t) * size);
  }
}

// Little-endian: a pair of bytes is read as one number, the first byte lowest.
void widen_nv12(const std::uint8_t* luma, const std::uint8_t* chroma, int count, std::uint32_t* out) {
  widen_pairs(count / 2, out, [&](int i) {
    std::uint16_t two, uv;
    __builtin_memcpy(&two, luma + 2 * i, 2);
    __builtin_memcpy(&uv, chroma + 2 * i, 2);
    return YuvPair{{two & 0xff, two >> 8}, uv & 0xff, uv >> 8};
  });
}

void widen_yuyv(const std::uint8_t* row, int count, std::uint32_t* out) {
  widen_pairs(count / 2, out, [&](int i) {
    std::int32_t four;
    __builtin_memcpy(&four, row + 4 * i, 4);
    return YuvPair{{four & 0xff, four >> 16 & 0xff}, four >> 8 & 0xff, four >> 24 & 0xff};
  });
}

void stretch_rgbx(const std::uint32_t* row, [[maybe_unused]] int cells, const Taps& taps, int count,
                  const float* scale, const float* shift, float* planes, int plane_stride) {
  int x = 0;
#if !defined(ICSEG_SCALAR) && defined(__AVX512VL__)
  for (; x + 16 <= count && can_permute(taps.left + x, taps.right + x); x += 16) {
    const Cells from = cells_from(row, taps.left[x], cells);
    const __m512 weight = _mm512_loadu_ps(taps.weight + x), rest = _mm512_sub_ps(_mm512_set1_ps(1.0f), weight);
    __m512i left = pick(from, taps.left + x), right = pick(from, taps.right + x);
    for (int channel = 0; channel < 3; ++channel) {
      const __m512i low_byte16 = _mm512_set1_epi32(0xff);
      const __m512 a = _mm512_cvtepi32_ps(_mm512_and_si512(left, low_byte16));
      const __m512 b = _mm512_cvtepi32_ps(_mm512_and_si512(right, low_byte16));
      const __m512 value = _mm512_add_ps(_mm512_mul_ps(a, rest), _mm512_mul_ps(b, weight));
      const __m512 scaled = _mm512_mul_ps(value, _mm512_set1_ps(scale[channel]));
      _mm512_storeu_ps(planes + channel * plane_stride + x, _mm512_add_ps(scaled, _mm512_set1_ps(shift[channel])));
      left = _mm512_srli_epi32(left, 8);
      right = _mm512_srli_epi32(right, 8);
    }
  }
#endif
#if !defined(ICSEG_SCALAR) && defined(__AVX2__)
  const __m256 one = _mm256_set1_ps(1.0f);
  const __m256i low_byte = _mm256_set1_epi32(0xff);
  for (; x + 8 <= count; x += 8) {
    const __m256 weight = _mm256_loadu_ps(taps.weight + x), rest = _mm256_sub_ps(one, weight);
    const auto gather = [&](const std::int32_t* places) {
      return _mm256_i32gather_epi32(reinterpret_cast<const int*>(row),
                                    _mm256_loadu_si256(reinterpret_cast<const __m256i*>(places + x)), 4);
    };
    __m256i left = gather(taps.left), right = gather(taps.right);
    for (int channel = 0; channel < 3; ++channel) {
      const __m256 a = _mm256_cvtepi32_ps(_mm256_and_si256(left, low_byte));
      const __m256 b = _mm256_cvtepi32_ps(_mm256_and_si256(right, low_byte));
      const __m256 value = _mm256_add_ps(_mm256_mul_ps(a, rest), _mm256_mul_ps(b, weight));
      _mm256_storeu_ps(planes + channel * plane_stride + x,
                       _mm256_add_ps(_mm256_mul_ps(value, _mm256_set1_ps(scale[channel])),
                                     _mm256_set1_ps(shift[channel])));
      left = _mm256_srli_epi32(left, 8);
      right = _mm256_srli_epi32(right, 8);
    }
  }
#endif
  for (; x < count; ++x) {
    const std::uint32_t left = row[taps.left[x]], right = row[taps.right[x]];
    const float weight = taps.weight[x], rest = 1.0f - weight;
    for (int channel = 0; channel < 3; ++channel) {
      const auto a = static_cast<float>(left >> (8 * channel) & 0xffu);
      const auto b = static_cast<float>(right >> (8 * channel) & 0xffu);
      planes[channel * plane_stride + x] = (a * rest + b * weight) * scale[channel] + shift[channel];
    }
  }
}

inline float blended(float top, float bottom, float weight) { return top * (1.0f - weight) + bottom * weight; }

void blend(const float* top, const float* bottom, float weight, int count, float* out) {
  const Floats from_top = spread(1.0f - weight), from_bottom = spread(weight);
  int x = 0;
#if !defined(ICSEG_SCALAR) && defined(__AVX2__)
  // The planes are larger than the caches: written past them, they need not be read first.
  for (; x < count && reinterpret_cast<std::uintptr_t>(out + x) % 32 != 0; ++x) {
    out[x] = blended(top[x], bottom[x], weight);
  }
  const __m256 top_share = _mm256_set1_ps(1.0f - weight), bottom_share = _mm256_set1_ps(weight);
  for (; x + 8 <= count; x += 8) {
    _mm256_stream_ps(out + x, _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(top + x), top_share),
                                            _mm256_mul_ps(_mm256_loadu_ps(bottom + x), bottom_share)));
  }
  _mm_sfence();
#endif
  for (; x + kLanes <= count; x += kLanes) {
    store(out + x, plus(times(load(top + x), from_top), times(load(bottom + x), from_bottom)));
  }
  for (; x < count; ++x) out[x] = blended(top[x], bottom[x], weight);
}

void blend_half(const float* top, const float* bottom, float weight, int count, std::uint16_t* out) {
  int x = 0;
#if !defined(ICSEG_SCALAR) && defined(__F16C__)
  const __m256 from_top = _mm256_set1_ps(1.0f - weight), from_bottom = _mm256_set1_ps(weight);
  for (; x + 8 <= count; x += 8) {
    const __m256 value = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(top + x), from_top),
                                       _mm256_mul_ps(_mm256_loadu_ps(bottom + x), from_bottom));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + x), _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
  }
#endif
  for (; x < count; ++x) out[x] = half_of(blended(top[x], bottom[x], weight));
}

void tint_word(std::uint8_t* pixels, const std::uint8_t* colour, int alpha) {
  const auto own = static_cast<std::uint16_t>(256 - alpha), other = static_cast<std::uint16_t>(alpha);
  for (int i = 0; i < 3 * kWord; ++i) {  // at most 255 * 256: no overflow of 16 bits
    const auto sum = static_cast<std::uint16_t>(pixels[i] * own + colour[i] * other);
    pixels[i] = static_cast<std::uint8_t>(sum >> 8);
  }
}

}  // namespace

#define ICSEG_TEXT_OF(name) #name
#define ICSEG_NAME_OF(name) ICSEG_TEXT_OF(name)

extern const RowKernels kRowKernels;
const RowKernels kRowKernels = {ICSEG_NAME_OF(ICSEG_ISA),
                                compare,
                                stretch,
                                blend_words,
                                row_sums,
                                pack,
                                unpack,
                                intersection,
                                widen_rgb,
                                widen_nv12,
                                widen_yuyv,
                                stretch_rgbx,
                                blend,
                                blend_half,
                                tint_word};

}  // namespace ICSEG_ISA
}  // namespace icseg
