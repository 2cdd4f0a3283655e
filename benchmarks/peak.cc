// Peak throughput of fused multiply-adds, the reference for the lanes engine. Prints GFLOP/s of one core.
// Compiled with the flags of one of the engine's kernels, and -D LANES=width REGISTERS=count.

#include <algorithm>
#include <cstdio>
#include <ctime>

#define LEVEL peak
#include "vec.h"

volatile float sink;  // prevents the compiler from removing the sums

int main() {
  using namespace lanes::peak;
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
  std::printf("%.1f\n", best);
}
