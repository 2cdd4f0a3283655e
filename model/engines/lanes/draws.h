// The random draws of model/streams.py, bit for bit: counter-based threefry2x32 (Salmon et al. 2011).
#pragma once

#include "block.h"

namespace lanes::LEVEL {

struct Key {
  Bits a, b;
};

template <int R>
INLINE Bits rotate(Bits x) {
  return (x << R) | (x >> (32 - R));
}

// A round of N independent counters. The processor overlaps the operations of different counters.
template <int R, int N>
INLINE void mix(Key (&x)[N]) {
  unroll<N>([&](auto n) __attribute__((always_inline)) { x[n].a += x[n].b; });
  unroll<N>([&](auto n) __attribute__((always_inline)) { x[n].b = rotate<R>(x[n].b) ^ x[n].a; });
}

// Threefry, 20 rounds, of the 64-bit counters (0, count), …, (0, count + N - 1) under each lane's key.
template <int N>
INLINE void threefry(const Key& key, uint32_t count, Key (&x)[N]) {
  const Bits schedule[3] = {key.a, key.b, key.a ^ key.b ^ 0x1BD11BDAu};
  unroll<N>([&](auto n) __attribute__((always_inline)) { x[n] = {key.a, key.b + (count + n)}; });
  unroll<5>([&](auto i) __attribute__((always_inline)) {
    if constexpr (i % 2 == 0) {
      mix<13>(x), mix<15>(x), mix<26>(x), mix<6>(x);
    } else {
      mix<17>(x), mix<29>(x), mix<16>(x), mix<24>(x);
    }
    unroll<N>([&](auto n) __attribute__((always_inline)) {
      x[n].a += schedule[(i + 1) % 3];
      x[n].b += schedule[(i + 2) % 3] + (i + 1u);
    });
  });
}

INLINE Key fold_in(const Key& key, uint32_t number) {  // jax.random.fold_in
  Key folded[1];
  threefry(key, number, folded);
  return folded[0];
}

template <int N>
INLINE void random_bits(const Key& key, uint32_t first, Bits (&bits)[N]) {  // elements of jax.random.bits
  Key x[N];
  threefry(key, first, x);
  unroll<N>([&](auto n) __attribute__((always_inline)) { bits[n] = x[n].a ^ x[n].b; });
}

// Rows and columns by which each lane rolls its image, as `streams.draw_shift`.
INLINE void draw_shift(const Key& epoch_key, int step, int largest, Ints& rows, Ints& columns) {
  Key key = fold_in(epoch_key, (uint32_t)step);
  uint32_t values = 2u * (uint32_t)largest + 1u;
  Bits bits[2];
  random_bits(key, 0, bits);
  rows = (Ints)(bits[0] % values) - largest;
  columns = (Ints)(bits[1] % values) - largest;
}

// Mask of the H2 outputs that dropout keeps, as in model/streams.py.
INLINE void draw_dropout_mask(const Key& epoch_key, int step, uint32_t drop_threshold, Ints mask[UNITS2]) {
  Key key = fold_in(epoch_key, (uint32_t)step);
  for (int i = 0; i < UNITS2; i += COUNTERS) {
    Bits bits[COUNTERS];
    random_bits(key, (uint32_t)i, bits);
    unroll<COUNTERS>([&](auto n) __attribute__((always_inline)) { mask[i + n] = bits[n] >= drop_threshold; });
  }
}

}  // namespace lanes::LEVEL
