// The C functions of the library: kernel selection, and the distribution of blocks over threads.

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <vector>

#include "denormals.h"
#include "kernel.h"

namespace lanes {

#if defined(__x86_64__)
namespace sse2 {
extern const Kernel kernel;
}
namespace avx2 {
extern const Kernel kernel;
}
namespace avx512 {
extern const Kernel kernel;
}
#else
namespace generic {
extern const Kernel kernel;
}
#endif

// The kernels that this processor can run, slowest first. The library may run on another machine than it was built on.
// Each test names the instructions that the kernel is compiled for (build.py).
static std::vector<const Kernel*> supported_kernels() {
#if defined(__x86_64__)
  std::vector<const Kernel*> kernels = {&sse2::kernel};
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return kernels;
  kernels.push_back(&avx2::kernel);
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl")) return kernels;
  if (!__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512bw")) return kernels;
  kernels.push_back(&avx512::kernel);
  return kernels;
#else
  return {&generic::kernel};
#endif
}

static const std::vector<const Kernel*>& kernels() {
  static const std::vector<const Kernel*> supported = supported_kernels();
  return supported;
}

// Calls work(first replica, scratch) for every block, on `threads` threads. Returns false when there is not enough
// memory.
template <class Work>
static bool for_each_block(const Kernel& kernel, int replicas, int threads, Work work) {
  const int blocks = (replicas + kernel.lanes - 1) / kernel.lanes;
  std::atomic<int> next{0};
  std::atomic<bool> enough{true};
  auto worker = [&] {
    FlushDenormals guard;
    void* scratch = std::aligned_alloc(4096, (kernel.scratch + 4095) / 4096 * 4096);
    if (!scratch) enough = false;
    for (int block; enough && (block = next++) < blocks;) work(block * kernel.lanes, scratch);
    std::free(scratch);
  };
  std::vector<std::thread> others;
  try {
    for (int i = 1; i < std::min(threads, blocks); i++) others.emplace_back(worker);
  } catch (const std::system_error&) {
    // No more threads are available; the existing ones do the work.
  }
  worker();
  for (std::thread& other : others) other.join();
  return enough;
}

}  // namespace lanes

extern "C" {

int32_t lanes_kernel_count() { return (int32_t)lanes::kernels().size(); }

const char* lanes_kernel_name(int32_t kernel) { return lanes::kernels()[kernel]->name; }

int32_t lanes_kernel_width(int32_t kernel) { return lanes::kernels()[kernel]->lanes; }

const char* lanes_sources() { return SOURCES; }  // digest of the sources that the library was built from

int32_t lanes_train(int32_t kernel, const Hyperparams* hyperparams, const Examples* examples, const Replicas* replicas,
                    int32_t threads) {
  const lanes::Kernel& k = *lanes::kernels()[kernel];
  return !lanes::for_each_block(k, replicas->count, threads, [&](int first, void* scratch) {
    k.train(*hyperparams, *examples, *replicas, first, scratch);
  });
}

int32_t lanes_evaluate(int32_t kernel, const Hyperparams* hyperparams, const Examples* examples,
                       const Replicas* replicas, const Scores* scores, int32_t threads) {
  const lanes::Kernel& k = *lanes::kernels()[kernel];
  return !lanes::for_each_block(k, replicas->count, threads, [&](int first, void* scratch) {
    k.evaluate(*hyperparams, *examples, *replicas, *scores, first, scratch);
  });
}

int32_t lanes_curvature(int32_t kernel, const Hyperparams* hyperparams, const Examples* examples,
                        const Replicas* replicas, float* curvature, int32_t threads) {
  const lanes::Kernel& k = *lanes::kernels()[kernel];
  return !lanes::for_each_block(k, replicas->count, threads, [&](int first, void* scratch) {
    k.curvature(*hyperparams, *examples, *replicas, first, curvature, scratch);
  });
}

int32_t lanes_draw(int32_t kernel, const Hyperparams* hyperparams, const Replicas* replicas, int32_t step,
                   int32_t* shifts, uint8_t* dropout_mask) {
  const lanes::Kernel& k = *lanes::kernels()[kernel];
  return !lanes::for_each_block(k, replicas->count, 1, [&](int first, void*) {
    k.draw(*hyperparams, *replicas, first, step, shifts, dropout_mask);
  });
}

}  // extern "C"
