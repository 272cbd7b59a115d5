// Python's view of the mask operations: checks every argument, then calls with the interpreter lock released.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <string>
#include <tuple>

#include "icseg/mask_bounds.h"

namespace nb = nanobind;

namespace {

using Mask = nb::ndarray<nb::numpy, const bool, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t> mask_bounds(const Mask& mask) {
  icseg::MaskBounds bounds;
  {
    nb::gil_scoped_release release;
    bounds = icseg::mask_bounds(reinterpret_cast<const std::uint8_t*>(mask.data()), mask.shape(0), mask.shape(1),
                                static_cast<std::ptrdiff_t>(mask.shape(1)));
  }
  return {bounds.area_px, bounds.x0, bounds.y0, bounds.x1, bounds.y1};
}

std::string compiler() {
#if defined(__clang__)
  return std::string("clang ") + __clang_version__;
#elif defined(__GNUC__)
  return std::string("gcc ") + __VERSION__;
#else
  return "unknown";
#endif
}

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "Compiled mask operations of icseg; the definitions are in icseg.mask_ops.reference.";
  m.def("mask_bounds", &mask_bounds, nb::arg("mask").noconvert());
  m.def("compiler", &compiler);
  m.attr("has_cuda") = false;
}
