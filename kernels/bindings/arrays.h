// Arrays in and out of Python: what was given is checked in full, and every error names the argument, what was expected
// and what was got.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

namespace icseg::bindings {

namespace nb = nanobind;
using AnyArray = nb::ndarray<nb::ro>;

constexpr std::int64_t kLongestSide = 65536;
constexpr std::int64_t kMostPixels = (std::int64_t{1} << 31) - 1;

[[noreturn]] void value_error(const std::string& text);
[[noreturn]] void type_error(const std::string& text);

std::string describe(const AnyArray& array);

// numpy's, or whatever gives DLPack; in the CPU's memory.
AnyArray any_array(nb::handle value, const char* name, const char* expected);

// The same with its type, number of dimensions and contiguity checked. expected: as "float32 (N, h, w)".
template <typename Value>
AnyArray array_of(nb::handle value, const char* name, const char* expected, std::size_t dimensions) {
  AnyArray array = any_array(value, name, expected);
  const auto refusal = [&] { return std::string(name) + ": expected " + expected + ", got " + describe(array); };
  if (array.dtype() != nb::dtype<Value>()) type_error(refusal());
  if (array.ndim() != dimensions) value_error(refusal());
  std::int64_t stride = 1;
  for (std::size_t i = dimensions; i-- > 0;) {
    if (array.shape(i) > 1 && array.size() > 0 && array.stride(i) != stride) {
      value_error(refusal() + " with gaps or in another order: pass numpy.ascontiguousarray of it");
    }
    stride *= static_cast<std::int64_t>(array.shape(i));
  }
  return array;
}

template <typename Value>
const Value* data_of(const AnyArray& array) {
  return static_cast<const Value*>(array.data());
}

// At least `least` on each side, and few enough pixels to be numbered in 31 bits.
void check_size(const char* name, std::int64_t height, std::int64_t width, std::int64_t least);

void check_finite(const char* name, double value);

// A new array that Python owns; its contents are not set.
template <typename Value>
nb::ndarray<nb::numpy, Value> new_array(std::initializer_list<std::size_t> shape) {
  std::size_t count = 1;
  for (const std::size_t side : shape) count *= side;
  auto data = std::make_unique<std::byte[]>(0);
  data.reset(new std::byte[count == 0 ? 1 : count * sizeof(Value)]);
  auto* values = reinterpret_cast<Value*>(data.get());
  nb::capsule owner(data.get(), [](void* held) noexcept { delete[] static_cast<std::byte*>(held); });
  data.release();
  return nb::ndarray<nb::numpy, Value>(values, shape, owner);
}

// Bit masks: words of N masks, and their width.
struct BitMasks {
  AnyArray array;
  int count, height, width, row_words;

  const std::uint32_t* words() const { return data_of<std::uint32_t>(array); }
  std::size_t mask_words() const { return static_cast<std::size_t>(height) * row_words; }
};
BitMasks bit_masks(nb::handle words, int width, const char* name);
BitMasks one_bit_mask(nb::handle words, int width, const char* name);

void add_mask_operations(nb::module_& module);
void add_logit_operations(nb::module_& module);
void add_frame_operations(nb::module_& module);

}  // namespace icseg::bindings
