// CUDA's execution model on one thread of the host, for tests: every CUDA thread is a fiber, a few blocks are resident at
// a time, and the schedule is as unkind as asked for. Not a GPU: no caches, no weak memory order beyond what
// ThreadSanitizer sees, no timing.
//
// Shared memory is fresh and poisoned for every block. A barrier orders memory, warp votes and shuffles do not; atomics
// are relaxed. Lanes that meet at different operations, barriers that only part of a block reaches, and threads that wait
// for ever are reported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
using cudaStream_t = void*;
enum cudaError_t { cudaSuccess = 0 };
inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream);

namespace emulation {

enum class Order { kForward, kReverse, kRandom };

struct Settings {
  Order order = Order::kForward;
  unsigned seed = 1;
  int yield_percent = 0;  // how often an atomic first lets others run
  unsigned char poison = 0xcd;
  int resident_blocks = 1;
  std::string bug;  // the seeded mistake that is switched on
  bool is_trace = false;  // launches are noted, not run; no memory is touched
};

struct Launch {
  const char* kernel;  // "memset" for a memset
  dim3 grid, block;
};
extern Settings settings;
extern std::vector<std::string> reports;  // of the launches so far
extern std::vector<Launch> launches;      // of a trace

bool is_seeded(const char* bug);
void launch(const char* kernel, dim3 grid, dim3 block, const std::function<void()>& thread);
const dim3& thread_index();
const dim3& block_index();
const dim3& block_size();
const dim3& grid_size();
void* shared_array(std::size_t bytes, int line);
void barrier(int line);
void warp_barrier(unsigned mask, int line);
void yield_sometimes();

// Gives `value` to the lanes of the mask and waits for theirs: gathered[lane].
enum class Vote { kBallot, kShuffle };
void exchange(Vote vote, unsigned mask, std::uint64_t value, int line, std::uint64_t gathered[32]);
int lane();

template <typename Value>
std::uint64_t bits_of(Value value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}
template <typename Value>
Value value_of(std::uint64_t bits) {
  Value value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline unsigned ballot(unsigned mask, bool is_set, int line) {
  std::uint64_t all[32];
  exchange(Vote::kBallot, mask, is_set, line, all);
  unsigned bits = 0;
  for (int i = 0; i < 32; ++i) bits |= (mask >> i & 1u) != 0 && all[i] != 0 ? 1u << i : 0u;
  return bits;
}
// A lane outside the mask, or outside the warp, gives the caller's own value back.
template <typename Value>
Value shuffle(unsigned mask, Value value, int from, int line) {
  std::uint64_t all[32];
  exchange(Vote::kShuffle, mask, bits_of(value), line, all);
  return from < 0 || from > 31 || (mask >> from & 1u) == 0 ? value : value_of<Value>(all[from]);
}

}  // namespace emulation

#define threadIdx (::emulation::thread_index())
#define blockIdx (::emulation::block_index())
#define blockDim (::emulation::block_size())
#define gridDim (::emulation::grid_size())
#define __syncthreads() ::emulation::barrier(__LINE__)
#define __syncwarp() ::emulation::warp_barrier(0xffffffffu, __LINE__)
#define __ballot_sync(mask, is_set) ::emulation::ballot(mask, is_set, __LINE__)
#define __shfl_down_sync(mask, value, by) ::emulation::shuffle(mask, value, ::emulation::lane() + (by), __LINE__)
#define __shfl_up_sync(mask, value, by) ::emulation::shuffle(mask, value, ::emulation::lane() - (by), __LINE__)
#define __shfl_sync(mask, value, from) ::emulation::shuffle(mask, value, from, __LINE__)

#define ICSEG_SHARED(type, name, count) \
  type* const name = static_cast<type*>(::emulation::shared_array(sizeof(type) * (count), __LINE__))
#define ICSEG_LAUNCH(kernel, grid, block, stream, ...) \
  (static_cast<void>(stream), ::emulation::launch(#kernel, grid, block, [=] { kernel(__VA_ARGS__); }))
#define ICSEG_SEEDED_BUG(name) ::emulation::is_seeded(name)

inline int __popc(unsigned word) { return __builtin_popcount(word); }
inline int __ffs(unsigned word) { return __builtin_ffs(static_cast<int>(word)); }
inline int __clz(unsigned word) { return word == 0 ? 32 : __builtin_clz(word); }

template <typename Value>
Value atomicAdd(Value* at, Value by) {
  ::emulation::yield_sometimes();
  return __atomic_fetch_add(at, by, __ATOMIC_RELAXED);
}
template <typename Value>
Value atomicOr(Value* at, Value bits) {
  ::emulation::yield_sometimes();
  return __atomic_fetch_or(at, bits, __ATOMIC_RELAXED);
}
template <typename Value>
Value atomicExch(Value* at, Value value) {
  ::emulation::yield_sometimes();
  return __atomic_exchange_n(at, value, __ATOMIC_RELAXED);
}
template <typename Value>
Value atomicMin(Value* at, Value value) {
  ::emulation::yield_sometimes();
  Value old = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (value < old && !__atomic_compare_exchange_n(at, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return old;
}
template <typename Value>
Value atomicMax(Value* at, Value value) {
  ::emulation::yield_sometimes();
  Value old = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (value > old && !__atomic_compare_exchange_n(at, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return old;
}

namespace icseg::cuda {

template <typename Value>
Value load_relaxed(const Value* from) {
  ::emulation::yield_sometimes();
  return __atomic_load_n(from, __ATOMIC_RELAXED);
}

inline float float_of_half(std::uint16_t bits) {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(bits & 0x7fffu) << 13;
  const bool is_finite = (bits & 0x7c00u) != 0x7c00u;
  // the exponents' origins are 112 apart; a subnormal half is a subnormal float here, and comes out right too
  float value = ::emulation::value_of<float>(is_finite ? magnitude : magnitude | 0x7f800000u);
  if (is_finite) value *= 0x1p112f;
  return (bits & 0x8000u) != 0 ? -value : value;
}

inline unsigned take_ticket(unsigned* tickets) {
  ::emulation::yield_sometimes();
  return __atomic_fetch_add(tickets, 1u, __ATOMIC_ACQ_REL);
}

}  // namespace icseg::cuda
