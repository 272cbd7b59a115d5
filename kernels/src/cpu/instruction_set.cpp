// Which version of the row kernels this processor runs.
#include "row_kernels.h"

namespace icseg {

namespace plain {
extern const RowKernels kRowKernels;
}
#if defined(ICSEG_X86_VERSIONS)
namespace avx2 {
extern const RowKernels kRowKernels;
}
namespace avx512 {
extern const RowKernels kRowKernels;
}
#endif

namespace {

const RowKernels& chosen() {
#if defined(ICSEG_X86_VERSIONS)
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
                        __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("f16c");
  if (has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    return avx512::kRowKernels;
  }
  if (has_avx2) return avx2::kRowKernels;
#endif
  return plain::kRowKernels;
}

}  // namespace

const RowKernels& row_kernels() {
  static const RowKernels& kernels = chosen();
  return kernels;
}

}  // namespace icseg
