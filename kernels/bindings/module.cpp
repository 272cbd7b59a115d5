// Python's view of the mask operations: checks every argument, then calls with the interpreter lock released.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

#include "arrays.h"
#include "icseg/packing.h"

namespace {

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
  m.def("compiler", &compiler);
  m.def("instruction_set", &icseg::instruction_set);
  m.attr("has_cuda") = false;
  icseg::bindings::add_mask_operations(m);
  icseg::bindings::add_logit_operations(m);
  icseg::bindings::add_frame_operations(m);
}
