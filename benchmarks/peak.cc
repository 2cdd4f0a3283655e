// Limits of one core, the references for the lanes engine. Prints the GFLOP/s of fused multiply-adds, then the GB/s at
// which it reads and writes the weights and AdamW moments of one block of replicas, counting both directions.
// Compiled with the flags of one of the engine's kernels, and -D LANES=width REGISTERS=count.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <vector>

#define LEVEL peak
#include "vec.h"

volatile float sink;  // prevents the compiler from removing the sums

using namespace lanes::peak;

double gflops() {
  constexpr int CHAINS = 12;  // more than the latency (4 cycles) times the units (2); they fit in 16 registers
  constexpr long ITERATIONS = 20'000'000;
  double best = 0;
  for (int attempt = 0; attempt < 5; attempt++) {
    Vec sum[CHAINS], x = splat(0.5f), y = splat(1.0f);
    for (int i = 0; i < CHAINS; i++)
      sum[i] = splat((float)i);  // distinct values: the compiler would merge equal chains
    const std::clock_t start = std::clock();
    for (long iteration = 0; iteration < ITERATIONS; iteration++)
      unroll<CHAINS>([&](auto i) __attribute__((always_inline)) {
        sum[i] = sum[i] * x + y;
        KEEP(sum[i]);
      });
    unroll<CHAINS>([&](auto i) __attribute__((always_inline)) { sink = sum[i][0]; });
    const double seconds = (double)(std::clock() - start) / CLOCKS_PER_SEC;
    best = std::max(best, 2e-9 * CHAINS * LANES * ITERATIONS / seconds);
  }
  return best;
}

double gbytes() {
  constexpr long STATE = 3 * 9760, PASSES = 2000;
  std::vector<float> memory((STATE + 1) * LANES);
  Vec* state = (Vec*)(((uintptr_t)memory.data() + sizeof(Vec) - 1) / sizeof(Vec) * sizeof(Vec));
  double best = 0;
  for (int attempt = 0; attempt < 5; attempt++) {
    const std::clock_t start = std::clock();
    for (long pass = 0; pass < PASSES; pass++) {
      for (long i = 0; i < STATE; i++) state[i] += 1.0f;
      asm volatile("" ::: "memory");  // otherwise the compiler exchanges the loops
    }
    const double seconds = (double)(std::clock() - start) / CLOCKS_PER_SEC;
    best = std::max(best, 2e-9 * sizeof(Vec) * STATE * PASSES / seconds);
  }
  sink = state[0][0];
  return best;
}

int main() { std::printf("%.1f\n%.1f\n", gflops(), gbytes()); }
