#include "cuda_emulation.h"

#include <setjmp.h>
#include <ucontext.h>

#include <cstdlib>


#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define QUIET __attribute__((no_sanitize("thread"), noinline))
#else
#define QUIET __attribute__((noinline))
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// swapcontext asks the kernel for the signal mask on every switch; jumping does not, but confuses sanitizers.
#define SWITCH_BY_JUMPS
#endif

namespace emulation {

Settings settings;
std::vector<std::string> reports;
std::vector<Launch> launches;

namespace {

constexpr std::size_t kStackBytes = 64 * 1024;
constexpr std::size_t kRedZone = 64;  // between shared arrays, and after the last
constexpr std::size_t kSharedBytes = 48 * 1024;
constexpr int kMostThreads = 256, kMostBlocks = 4, kMostArrays = 16;

enum class State { kReady, kAtBarrier, kAtVote, kDone };

struct Array {
  int line;
  std::size_t start;
};

struct Block {
  dim3 index;
  unsigned char* shared;
  Array arrays[kMostArrays];
  int array_count;
  std::size_t used;
  int threads, done;
  bool is_live;
  // ThreadSanitizer orders memory by these addresses. Two take turns: who is early at the next barrier must not be taken
  // for ordered before who is late to leave this one.
  char barrier_clocks[2];
  char warp_clocks[kMostThreads / 32][2];
};

struct Fiber {
  ucontext_t context;
  jmp_buf jump;
  bool is_started;
  unsigned char* stack;
  void* sanitizer;
  Block* block;
  dim3 index;
  int number;
  State state;
  int barriers, warp_barriers;  // passed so far
  int line;                     // of the barrier or vote that it waits at
  Vote vote;
  unsigned mask;
  std::uint64_t value;
  std::uint64_t gathered[32];
};

// Raw arrays: what a library's code touches would be watched by ThreadSanitizer.
Fiber fibers[kMostBlocks][kMostThreads];
Block blocks[kMostBlocks];
Fiber* current;
[[maybe_unused]] ucontext_t scheduler;
[[maybe_unused]] jmp_buf scheduler_jump;
[[maybe_unused]] void* scheduler_sanitizer;
dim3 size_of_block, size_of_grid;
const std::function<void()>* body;
std::uint64_t random_state;
char start_clock, end_clock;
unsigned char** arenas;  // shared memory of every block of the launch: made before the threads start, freed after

QUIET unsigned random_below(unsigned limit) {
  random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
  return static_cast<unsigned>(random_state >> 33) % limit;
}

void release([[maybe_unused]] char* clock) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(clock);
#endif
}
void acquire([[maybe_unused]] char* clock) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(clock);
#endif
}

QUIET void to_scheduler() {
  Fiber* self = current;
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(scheduler_sanitizer, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(SWITCH_BY_JUMPS)
  if (_setjmp(self->jump) == 0) _longjmp(scheduler_jump, 1);
#else
  swapcontext(&self->context, &scheduler);
#endif
}

QUIET void run(Fiber* fiber) {
  current = fiber;
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(fiber->sanitizer, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(SWITCH_BY_JUMPS)
  if (_setjmp(scheduler_jump) != 0) return;
  if (fiber->is_started) _longjmp(fiber->jump, 1);
  fiber->is_started = true;
  setcontext(&fiber->context);
#else
  swapcontext(&scheduler, &fiber->context);
#endif
}

QUIET void finish() {
  current->state = State::kDone;
  ++current->block->done;
}

void entry() {
  acquire(&start_clock);
  (*body)();
  release(&end_clock);
  finish();
  to_scheduler();
}

QUIET void report(const std::string& text) {
  if (reports.size() < 20) reports.push_back(text);
}

// getcontext is known to the compiler to return twice: on its own, so that it spoils no loop.
QUIET void prepare(Fiber& fiber) {
  fiber.state = State::kReady;
  fiber.is_started = false;
  fiber.barriers = fiber.warp_barriers = 0;
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack;
  fiber.context.uc_stack.ss_size = kStackBytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, entry, 0);
}

QUIET void begin_block(int place, unsigned number) {
  Block& block = blocks[place];
  block.index = dim3(number % size_of_grid.x, number / size_of_grid.x % size_of_grid.y,
                     number / size_of_grid.x / size_of_grid.y);
  block.shared = arenas[number];
  block.array_count = 0;
  block.used = 0;
  block.threads = static_cast<int>(size_of_block.x * size_of_block.y * size_of_block.z);
  block.done = 0;
  block.is_live = true;
  for (int i = 0; i < block.threads; ++i) {
    Fiber& fiber = fibers[place][i];
    if (fiber.stack == nullptr) {
      fiber.stack = static_cast<unsigned char*>(std::malloc(kStackBytes));
#if defined(__SANITIZE_THREAD__)
      fiber.sanitizer = __tsan_create_fiber(0);
#endif
    }
    fiber.block = &block;
    fiber.number = i;
    const auto at = static_cast<unsigned>(i);
    fiber.index = dim3(at % size_of_block.x, at / size_of_block.x % size_of_block.y,
                       at / size_of_block.x / size_of_block.y);
    prepare(fiber);
  }
}

void make_arenas(unsigned blocks) {
  arenas = static_cast<unsigned char**>(std::malloc(sizeof(unsigned char*) * blocks));
  for (unsigned i = 0; i < blocks; ++i) {
    arenas[i] = static_cast<unsigned char*>(std::malloc(kSharedBytes));
    std::memset(arenas[i], settings.poison, kSharedBytes);
#if defined(__SANITIZE_ADDRESS__)
    ASAN_POISON_MEMORY_REGION(arenas[i], kSharedBytes);
#endif
  }
}

void free_arenas(unsigned blocks) {
  for (unsigned i = 0; i < blocks; ++i) {
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(arenas[i], kSharedBytes);
#endif
    std::free(arenas[i]);
  }
  std::free(arenas);
}

// Lets the threads at a barrier on when the whole block is there.
QUIET bool release_barrier(int place) {
  Block& block = blocks[place];
  int waiting = 0, line = -1;
  for (int i = 0; i < block.threads; ++i) {
    const Fiber& fiber = fibers[place][i];
    if (fiber.state != State::kAtBarrier) continue;
    ++waiting;
    if (line >= 0 && line != fiber.line) report("threads of a block wait at two barriers");
    line = fiber.line;
  }
  if (waiting == 0 || waiting + block.done != block.threads) return false;
  if (block.done != 0) report("a barrier is not reached by threads that have returned");
  for (int i = 0; i < block.threads; ++i) {
    if (fibers[place][i].state == State::kAtBarrier) fibers[place][i].state = State::kReady;
  }
  return true;
}

// Lets the lanes of a vote on when all that it names are there.
QUIET bool release_vote(int place, int warp) {
  Fiber* lanes = &fibers[place][warp * 32];
  const int count = blocks[place].threads - warp * 32 < 32 ? blocks[place].threads - warp * 32 : 32;
  for (int first = 0; first < count; ++first) {
    if (lanes[first].state != State::kAtVote) continue;
    const unsigned mask = lanes[first].mask;
    bool is_complete = true;
    for (int i = 0; i < 32; ++i) {
      if ((mask >> i & 1u) == 0) continue;
      if (i >= count || lanes[i].state != State::kAtVote) {
        is_complete = false;
      } else if (lanes[i].line != lanes[first].line || lanes[i].mask != mask || lanes[i].vote != lanes[first].vote) {
        report("lanes of a warp meet at different votes or with different masks");
      }
    }
    if (!is_complete) continue;
    for (int i = 0; i < 32; ++i) {
      if ((mask >> i & 1u) == 0) continue;
      for (int from = 0; from < 32; ++from) {
        lanes[i].gathered[from] = (mask >> from & 1u) != 0 ? lanes[from].value : 0xdeadbeefdeadbeefULL;
      }
      lanes[i].state = State::kReady;
    }
    return true;
  }
  return false;
}

// One turn of every thread that can run, in the order asked for. False when none could.
QUIET bool turn(int places) {
  static Fiber* ready[kMostBlocks * kMostThreads];
  int count = 0;
  for (int place = 0; place < places; ++place) {
    if (!blocks[place].is_live) continue;
    for (int i = 0; i < blocks[place].threads; ++i) {
      if (fibers[place][i].state == State::kReady) ready[count++] = &fibers[place][i];
    }
  }
  for (int i = 0; i < count; ++i) {
    int next = settings.order == Order::kReverse ? count - 1 - i : i;
    if (settings.order == Order::kRandom) {
      next = i + static_cast<int>(random_below(static_cast<unsigned>(count - i)));
      Fiber* const other = ready[i];
      ready[i] = ready[next];
      ready[next] = other;
      next = i;
    }
    run(ready[next]);
  }
  bool is_moving = count > 0;
  for (int place = 0; place < places; ++place) {
    if (!blocks[place].is_live) continue;
    if (release_barrier(place)) is_moving = true;
    for (int warp = 0; warp * 32 < blocks[place].threads; ++warp) {
      if (release_vote(place, warp)) is_moving = true;
    }
  }
  return is_moving;
}

QUIET void run_grid(unsigned total, int places) {
  unsigned next = 0;
  for (;;) {
    bool is_any_live = false;
    for (int place = 0; place < places; ++place) {
      Block& block = blocks[place];
      if (block.is_live && block.done == block.threads) block.is_live = false;
      if (!block.is_live && next < total) begin_block(place, next++);
      is_any_live = is_any_live || block.is_live;
    }
    if (!is_any_live) return;
    if (!turn(places)) {
      report("threads wait for ever: a barrier or a vote that others never reach");
      for (int place = 0; place < places; ++place) blocks[place].is_live = false;
      return;
    }
  }
}

}  // namespace

bool is_seeded(const char* bug) { return settings.bug == bug; }

void launch(const char* kernel, dim3 grid, dim3 block, const std::function<void()>& thread) {
  if (settings.is_trace) {
    launches.push_back({kernel, grid, block});
    return;
  }
  if (block.x * block.y * block.z > kMostThreads || block.x * block.y * block.z == 0 || grid.x * grid.y * grid.z == 0) {
    report("a launch of no threads, or of more than the emulation holds");
    return;
  }
  size_of_grid = grid;
  size_of_block = block;
  body = &thread;
  random_state = settings.seed * 2654435761u + 1;
#if defined(__SANITIZE_THREAD__)
  scheduler_sanitizer = __tsan_get_current_fiber();
#endif
  const unsigned total = grid.x * grid.y * grid.z;
  make_arenas(total);
  release(&start_clock);
  // ThreadSanitizer must not take blocks that share fibers for ordered: neighbours have different ones
#if defined(__SANITIZE_THREAD__)
  const int places = kMostBlocks;
#else
  const int places = settings.resident_blocks;
#endif
  run_grid(total, places);
  acquire(&end_clock);
  free_arenas(total);
}

QUIET const dim3& thread_index() { return current->index; }
QUIET const dim3& block_index() { return current->block->index; }
QUIET const dim3& block_size() { return size_of_block; }
QUIET const dim3& grid_size() { return size_of_grid; }
QUIET int lane() { return current->number % 32; }

QUIET void* shared_array(std::size_t bytes, int line) {
  Block& block = *current->block;
  for (int i = 0; i < block.array_count; ++i) {
    if (block.arrays[i].line == line) return block.shared + block.arrays[i].start;
  }
  const std::size_t room = (bytes + 15) / 16 * 16 + kRedZone;
  if (block.array_count == kMostArrays || block.used + room > kSharedBytes) {
    std::abort();  // a kernel that asks for more than a block may have
  }
  const std::size_t start = block.used;
  block.arrays[block.array_count++] = {line, start};
  block.used += room;
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(block.shared + start, bytes);
#endif
  return block.shared + start;
}

QUIET static void wait_at(State state, int line) {
  current->state = state;
  current->line = line;
  to_scheduler();
}

QUIET static char* barrier_clock() { return &current->block->barrier_clocks[current->barriers++ % 2]; }
QUIET static char* warp_clock() {
  return &current->block->warp_clocks[current->number / 32][current->warp_barriers++ % 2];
}

void barrier(int line) {
  char* clock = barrier_clock();
  release(clock);
  wait_at(State::kAtBarrier, line);
  acquire(clock);
}

QUIET static void vote(Vote kind, unsigned mask, std::uint64_t value, int line) {
  Fiber* self = current;
  self->vote = kind;
  self->mask = mask;
  self->value = value;
  if ((mask >> (self->number % 32) & 1u) == 0) report("a lane votes under a mask that does not name it");
  wait_at(State::kAtVote, line);
}

QUIET static void copy_gathered(std::uint64_t gathered[32]) {
  for (int i = 0; i < 32; ++i) gathered[i] = current->gathered[i];
}

void exchange(Vote kind, unsigned mask, std::uint64_t value, int line, std::uint64_t gathered[32]) {
  vote(kind, mask, value, line);
  copy_gathered(gathered);
}

void warp_barrier(unsigned mask, int line) {
  char* clock = warp_clock();
  release(clock);
  vote(Vote::kBallot, mask, 0, line);
  acquire(clock);
}

QUIET void yield_sometimes() {
  if (settings.yield_percent > 0 && static_cast<int>(random_below(100)) < settings.yield_percent) to_scheduler();
}

}  // namespace emulation

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
  if (emulation::settings.is_trace) {
    emulation::launches.push_back({"memset", dim3(), dim3()});
  } else {
    std::memset(to, value, bytes);
  }
  return cudaSuccess;
}
