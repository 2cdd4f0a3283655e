// Vectors of replicas: lane i of every vector belongs to replica i of the block. No operation mixes lanes.
//
// Only compiler vector types are used, so one source serves SSE2, AVX2, AVX-512 and Arm. Each instruction set has its
// own namespace (LEVEL), so that the linker does not merge functions compiled for different instruction sets.
#pragma once

#include <cstdint>
#include <cstring>

#define INLINE inline __attribute__((always_inline))
#define LAYER inline __attribute__((noinline))  // the call is cheap compared with the layer

namespace lanes::LEVEL {

typedef float Vec __attribute__((vector_size(LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(LANES * 4)));  // integers, and masks: 0 or -1 in each lane
typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));

template <int N>
struct Constant {
  constexpr operator int() const { return N; }
};

// Calls f(Constant<0>), …, f(Constant<N-1>), inlined: tiles stay in registers, and `if constexpr` can use the index.
template <int N, int I = 0, class F>
INLINE void unroll(F&& f) {
  if constexpr (I < N) {
    f(Constant<I>{});
    unroll<N, I + 1>(f);
  }
}

// Keeps a loaded vector in a register. gcc would reload it for each use, and loads are the bottleneck.
#if defined(__x86_64__)
#define KEEP(vector) asm("" : "+v"(vector))
#elif defined(__aarch64__)
#define KEEP(vector) asm("" : "+w"(vector))
#else
#define KEEP(vector)
#endif

INLINE Vec splat(float x) { return x - Vec{}; }
INLINE Vec splat(Vec x) { return x; }

// Inner loop of every layer: sum[a][b] += x[a·XS]·y[b·YS]. The sums stay in registers. X is Vec, or float for inputs
// that all lanes share.
template <int XS, int YS, int A, int B, class X>
INLINE void add_products(Vec (&sum)[A][B], const X* x, const Vec* y) {
  Vec row[B];
  unroll<B>([&](auto b) __attribute__((always_inline)) {
    row[b] = y[b * YS];
    KEEP(row[b]);
  });
  unroll<A>([&](auto a) __attribute__((always_inline)) {
    Vec left = splat(x[a * XS]);
    KEEP(left);
    unroll<B>([&](auto b) __attribute__((always_inline)) { sum[a][b] += left * row[b]; });
  });
}

INLINE Vec sqrt(Vec x) {  // vector types have no square root; compilers vectorise this loop
  float lane[LANES];
  std::memcpy(lane, &x, sizeof x);
  for (int i = 0; i < LANES; i++) lane[i] = __builtin_sqrtf(lane[i]);
  std::memcpy(&x, lane, sizeof x);
  return x;
}

// x·P(x²)/Q(x²), minimax in relative error up to 8.6, clamped where the result rounds to ±1. The error is at most 4
// units in the last place, 0.7 on average (XLA: 4.6 and 0.8), and |result| ≤ 1. NaN stays NaN: it fails both
// comparisons.
INLINE Vec tanh(Vec x) {
  constexpr float limit = 8.4f;
  x = x > limit ? splat(limit) : x;
  x = x < -limit ? splat(-limit) : x;
  Vec z = x * x;
  Vec p = splat(2.403603005518562e-08f);
  p = p * z + 3.6570450902218e-05f;
  p = p * z + 0.0061539700254797935f;
  p = p * z + 0.2347656935453415f;
  p = p * z + 1.7527713775634766f;
  Vec q = splat(1.3885779708289192e-06f);
  q = q * z + 0.0005803246167488396f;
  q = q * z + 0.045459017157554626f;
  q = q * z + 0.819022536277771f;
  q = q * z + 1.7527713775634766f;
  return x * p / q;
}

// e^x for x ≤ 0 (the arguments of a softmax), error about 1 unit in the last place; 0 below -87. NaN stays NaN.
INLINE Vec exp_negative(Vec x) {
  constexpr float shifter = 12582912.0f;  // 1.5·2²³: adding it leaves round(x) in the low bits
  Ints tiny = x < -87.0f;
  Vec power = x * 1.44269504f + shifter;
  Vec n = power - shifter;
  Vec r = x - n * 0.693359375f + n * 2.12194440e-4f;  // x - n·ln 2, in two parts
  Vec p = splat(1.9875691500e-4f);                    // Cephes' polynomial for |r| ≤ ln 2 / 2
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  Bits bits = (Bits)p + ((Bits)power << 23);  // times 2ⁿ
  Ints odd = x != x;
  return tiny ? Vec{} : odd ? x : (Vec)bits;
}

}  // namespace lanes::LEVEL
