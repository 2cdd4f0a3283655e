// Fused multiply-adds as fast as a core can: what the lanes engine is measured against. Prints GFLOP/s of one core.
// Built as one of the engine's kernels is, with -D LANES=width REGISTERS=count.

#include <algorithm>
#include <cstdio>
#include <ctime>

#define LEVEL peak
#include "vec.h"

volatile float used;  // keeps the compiler from leaving the sums out

int main() {
  using namespace lanes::peak;
  constexpr int CHAINS = 12;  // enough to hide the latency of four cycles twice over, and they fit 16 registers
  constexpr long TURNS = 20'000'000;
  double best = 0;
  for (int attempt = 0; attempt < 5; attempt++) {
    Vec sum[CHAINS], x = splat(0.5f), y = splat(1.0f);
    for (int i = 0; i < CHAINS; i++) sum[i] = splat((float)i);  // not alike: the compiler would keep one
    const std::clock_t began = std::clock();
    for (long turn = 0; turn < TURNS; turn++)
      unroll<CHAINS>([&](auto i) __attribute__((always_inline)) {
        sum[i] = sum[i] * x + y;
        KEEP(sum[i]);
      });
    unroll<CHAINS>([&](auto i) __attribute__((always_inline)) { used = sum[i][0]; });
    const double seconds = (double)(std::clock() - began) / CLOCKS_PER_SEC;
    best = std::max(best, 2e-9 * CHAINS * LANES * TURNS / seconds);
  }
  std::printf("%.1f\n", best);
}
