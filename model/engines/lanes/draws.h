// The random draws of model/streams.py, bit for bit: counter-based threefry2x32 (Salmon et al. 2011).
#pragma once

#include "shape.h"
#include "vec.h"

namespace lanes::LEVEL {

struct Key {
  Bits a, b;
};

template <int R>
INLINE Bits rotate(Bits x) {
  return (x << R) | (x >> (32 - R));
}

template <int R>
INLINE void mix(Key& x) {
  x.a += x.b;
  x.b = rotate<R>(x.b) ^ x.a;
}

// Threefry, 20 rounds, of the 64-bit counter (0, count) under each lane's key.
INLINE Key threefry(const Key& key, uint32_t count) {
  const Bits schedule[3] = {key.a, key.b, key.a ^ key.b ^ 0x1BD11BDAu};
  Key x = {key.a, key.b + count};
  unroll<5>([&](auto i) __attribute__((always_inline)) {
    if constexpr (i % 2 == 0) {
      mix<13>(x), mix<15>(x), mix<26>(x), mix<6>(x);
    } else {
      mix<17>(x), mix<29>(x), mix<16>(x), mix<24>(x);
    }
    x.a += schedule[(i + 1) % 3];
    x.b += schedule[(i + 2) % 3] + (i + 1u);
  });
  return x;
}

INLINE Key fold_in(const Key& key, uint32_t number) { return threefry(key, number); }  // jax.random.fold_in

INLINE Bits random_bits(const Key& key, uint32_t i) {  // element i of jax.random.bits
  Key x = threefry(key, i);
  return x.a ^ x.b;
}

// Rows and columns by which each lane rolls its image, as `streams.draw_shift`.
INLINE void draw_shift(const Key& epoch_key, int step, int largest, Ints& rows, Ints& columns) {
  Key key = fold_in(epoch_key, (uint32_t)step);
  uint32_t values = 2u * (uint32_t)largest + 1u;
  rows = (Ints)(random_bits(key, 0) % values) - largest;
  columns = (Ints)(random_bits(key, 1) % values) - largest;
}

// Mask of the H2 outputs that dropout keeps, as in model/streams.py.
INLINE void draw_dropout_mask(const Key& epoch_key, int step, uint32_t drop_threshold, Ints mask[UNITS2]) {
  Key key = fold_in(epoch_key, (uint32_t)step);
  for (int i = 0; i < UNITS2; i++) mask[i] = random_bits(key, (uint32_t)i) >= drop_threshold;
}

}  // namespace lanes::LEVEL
