// A row of floats in the widest registers that the file is compiled for: AVX-512, AVX2, SSE2, NEON, or one at a time.
// Included only by row_kernels.cpp, which is compiled once per instruction set, each in a namespace of its own.
#if !defined(ICSEG_SCALAR) && (defined(__AVX2__) || defined(__SSE2__))
#include <immintrin.h>
#elif !defined(ICSEG_SCALAR) && defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace icseg {
namespace ICSEG_ISA {

#if defined(ICSEG_SCALAR)

constexpr int kLanes = 1;
using Floats = float;
inline Floats load(const float* from) { return *from; }
inline Floats spread(float value) { return value; }
inline void store(float* to, Floats value) { *to = value; }
inline Floats times(Floats a, Floats b) { return a * b; }
inline Floats plus(Floats a, Floats b) { return a + b; }
inline std::uint32_t above_bits(Floats a, Floats b) { return a > b; }
inline std::uint32_t at_most_bits(Floats a, Floats b) { return a <= b; }

#elif defined(__AVX512BW__) && defined(__AVX512VL__)

constexpr int kLanes = 16;
using Floats = __m512;
inline Floats load(const float* from) { return _mm512_loadu_ps(from); }
inline Floats spread(float value) { return _mm512_set1_ps(value); }
inline void store(float* to, Floats value) { _mm512_storeu_ps(to, value); }
inline Floats times(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
inline Floats plus(Floats a, Floats b) { return _mm512_add_ps(a, b); }
inline std::uint32_t above_bits(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
inline std::uint32_t at_most_bits(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }

#elif defined(__AVX2__)

constexpr int kLanes = 8;
using Floats = __m256;
inline Floats load(const float* from) { return _mm256_loadu_ps(from); }
inline Floats spread(float value) { return _mm256_set1_ps(value); }
inline void store(float* to, Floats value) { _mm256_storeu_ps(to, value); }
inline Floats times(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
inline Floats plus(Floats a, Floats b) { return _mm256_add_ps(a, b); }
inline std::uint32_t above_bits(Floats a, Floats b) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)));
}
inline std::uint32_t at_most_bits(Floats a, Floats b) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ)));
}

#elif defined(__SSE2__)

constexpr int kLanes = 4;
using Floats = __m128;
inline Floats load(const float* from) { return _mm_loadu_ps(from); }
inline Floats spread(float value) { return _mm_set1_ps(value); }
inline void store(float* to, Floats value) { _mm_storeu_ps(to, value); }
inline Floats times(Floats a, Floats b) { return _mm_mul_ps(a, b); }
inline Floats plus(Floats a, Floats b) { return _mm_add_ps(a, b); }
inline std::uint32_t above_bits(Floats a, Floats b) {
  return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_cmpgt_ps(a, b)));
}
inline std::uint32_t at_most_bits(Floats a, Floats b) {
  return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_cmple_ps(a, b)));
}

#elif defined(__aarch64__)

constexpr int kLanes = 4;
using Floats = float32x4_t;
inline Floats load(const float* from) { return vld1q_f32(from); }
inline Floats spread(float value) { return vdupq_n_f32(value); }
inline void store(float* to, Floats value) { vst1q_f32(to, value); }
inline Floats times(Floats a, Floats b) { return vmulq_f32(a, b); }
inline Floats plus(Floats a, Floats b) { return vaddq_f32(a, b); }
inline std::uint32_t lane_bits(uint32x4_t lanes) {
  const uint32x4_t places = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(lanes, places));
}
inline std::uint32_t above_bits(Floats a, Floats b) { return lane_bits(vcgtq_f32(a, b)); }
inline std::uint32_t at_most_bits(Floats a, Floats b) { return lane_bits(vcleq_f32(a, b)); }

#else
#error "no registers known for this processor: configure with -DICSEG_SIMD=OFF"
#endif

#if !defined(ICSEG_SCALAR) && defined(__AVX512VL__)
// cells[places[0..15]] of a row of `length` 32-bit cells, places rising by less than 32 in all: two loads and a
// permutation in place of sixteen loads.
inline bool can_permute(const std::int32_t* left, const std::int32_t* right) { return right[15] - left[0] < 32; }
struct Cells {
  __m512i low, high;
  __m512i base;
};
inline Cells cells_from(const void* row, int first, int length) {
  const auto mask_of = [](int count) {
    return static_cast<__mmask16>(count >= 16 ? 0xffffu : count <= 0 ? 0u : (1u << count) - 1u);
  };
  const auto* cells = static_cast<const std::int32_t*>(row) + first;
  const int left = length - first;
  return {_mm512_maskz_loadu_epi32(mask_of(left), cells), _mm512_maskz_loadu_epi32(mask_of(left - 16), cells + 16),
          _mm512_set1_epi32(first)};
}
inline __m512i pick(const Cells& cells, const std::int32_t* places) {
  const __m512i index = _mm512_sub_epi32(_mm512_loadu_si512(places), cells.base);
  return _mm512_permutex2var_epi32(cells.low, index, cells.high);
}
#endif

// 32 bytes to 32 bits: nonzero or not.
inline std::uint32_t nonzero_bits(const std::uint8_t* bytes) {
#if !defined(ICSEG_SCALAR) && defined(__AVX2__)
  const __m256i is_zero =
      _mm256_cmpeq_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes)), _mm256_setzero_si256());
  return ~static_cast<std::uint32_t>(_mm256_movemask_epi8(is_zero));
#elif !defined(ICSEG_SCALAR) && defined(__SSE2__)
  const auto half = [](const std::uint8_t* from) {
    const __m128i bytes16 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes16, _mm_setzero_si128())));
  };
  return ~(half(bytes) | half(bytes + 16) << 16);
#elif !defined(ICSEG_SCALAR) && defined(__aarch64__)
  const uint8x16_t places = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  std::uint32_t bits = 0;
  for (int half = 0; half < 2; ++half) {
    const uint8x16_t from = vld1q_u8(bytes + 16 * half);
    const uint8x16_t set = vandq_u8(vtstq_u8(from, from), places);
    const auto low = static_cast<std::uint32_t>(vaddv_u8(vget_low_u8(set)));
    const auto high = static_cast<std::uint32_t>(vaddv_u8(vget_high_u8(set)));
    bits |= (low | high << 8) << (16 * half);
  }
  return bits;
#else
  std::uint32_t bits = 0;
  for (int i = 0; i < 32; ++i) bits |= static_cast<std::uint32_t>(bytes[i] != 0) << i;
  return bits;
#endif
}

// 32 bits to 32 bytes of 0 or 1.
inline void spread_bits(std::uint32_t bits, std::uint8_t* bytes) {
#if !defined(ICSEG_SCALAR) && defined(__AVX2__)
  const __m256i which = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i place = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ULL));
  const __m256i spread_bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), which);
  const __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(spread_bytes, place), place);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(bytes), _mm256_and_si256(is_set, _mm256_set1_epi8(1)));
#else
  for (int i = 0; i < 4; ++i) {
    // each of eight copies of a byte keeps the bit of its place, which the addition carries into the byte's top bit
    std::uint64_t eight = ((bits >> (8 * i)) & 0xffu) * 0x0101010101010101ULL & 0x8040201008040201ULL;
    eight = ((eight + 0x00406070787c7e7fULL) >> 7) & 0x0101010101010101ULL;
    __builtin_memcpy(bytes + 8 * i, &eight, 8);
  }
#endif
}

// IEEE 754 half, round to nearest even, as F16C does; NaN stays NaN.
inline std::uint16_t half_of(float value) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  const std::uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // rounds to infinity
  if (magnitude < 0x38800000u) {
    // subnormal: adding 0.5 lets the FPU round at the right place
    float small;
    __builtin_memcpy(&small, &magnitude, 4);
    small += 0.5f;
    std::uint32_t rounded;
    __builtin_memcpy(&rounded, &small, 4);
    return static_cast<std::uint16_t>(sign | (rounded - 0x3f000000u));
  }
  const std::uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

}  // namespace ICSEG_ISA
}  // namespace icseg
