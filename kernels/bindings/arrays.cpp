#include "arrays.h"

#include <nanobind/stl/string.h>

#include <cmath>

#include "icseg/bits.h"

namespace icseg::bindings {

void value_error(const std::string& text) { throw nb::value_error(text.c_str()); }
void type_error(const std::string& text) { throw nb::type_error(text.c_str()); }

namespace {

std::string name_of(nb::dlpack::dtype type) {
  const std::string bits = std::to_string(type.bits);
  switch (static_cast<nb::dlpack::dtype_code>(type.code)) {
    case nb::dlpack::dtype_code::Int:
      return "int" + bits;
    case nb::dlpack::dtype_code::UInt:
      return "uint" + bits;
    case nb::dlpack::dtype_code::Float:
      return "float" + bits;
    case nb::dlpack::dtype_code::Bool:
      return "bool";
    default:
      return "another type of " + bits + " bits";
  }
}

}  // namespace

std::string describe(const AnyArray& array) {
  std::string text = name_of(array.dtype()) + " (";
  for (std::size_t i = 0; i < array.ndim(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(array.shape(i));
  return text + (array.ndim() == 1 ? ",)" : ")");
}

AnyArray any_array(nb::handle value, const char* name, const char* expected) {
  const auto refuse = [&](const std::string& got) {
    type_error(std::string(name) + ": expected " + expected + ", got " + got);
  };
  const bool is_cuda = nb::hasattr(value, "__cuda_array_interface__");
  AnyArray array;
  if (is_cuda || !nb::try_cast(value, array)) {
    refuse(is_cuda ? "an array in a GPU's memory: copy it to the CPU"
                   : "a " + nb::cast<std::string>(nb::str(value.type().attr("__name__"))));
  }
  if (array.device_type() != nb::device::cpu::value) refuse("an array in a device's memory: copy it to the CPU");
  return array;
}

void check_size(const char* name, std::int64_t height, std::int64_t width, std::int64_t least) {
  if (height < least || width < least || height > kLongestSide || width > kLongestSide ||
      height * width > kMostPixels) {
    value_error(std::string(name) + ": expected a height and width of " + std::to_string(least) + ".." +
                std::to_string(kLongestSide) + " and fewer than 2^31 pixels, got " + std::to_string(height) + ", " +
                std::to_string(width));
  }
}

void check_finite(const char* name, double value) {
  if (!std::isfinite(value)) value_error(std::string(name) + ": expected a finite number, got " + std::to_string(value));
}

BitMasks bit_masks(nb::handle words, int width, const char* name) {
  AnyArray array = array_of<std::uint32_t>(words, name, "uint32 (N, H, words)", 3);
  check_size(name, static_cast<std::int64_t>(array.shape(1)), width, 0);
  if (array.shape(2) != static_cast<std::size_t>(words_for(width))) {
    value_error(std::string(name) + ": expected " + std::to_string(words_for(width)) + " words a row for a width of " +
                std::to_string(width) + ", got " + describe(array));
  }
  return {array, static_cast<int>(array.shape(0)), static_cast<int>(array.shape(1)), width,
          static_cast<int>(array.shape(2))};
}

BitMasks one_bit_mask(nb::handle words, int width, const char* name) {
  BitMasks masks = bit_masks(words, width, name);
  if (masks.count != 1) value_error(std::string(name) + ": expected one mask, got " + std::to_string(masks.count));
  return masks;
}

}  // namespace icseg::bindings
