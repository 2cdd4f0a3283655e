// How gradients change N neighbouring parameters: plain steps, or optax.adamw.
#pragma once

#include <cmath>

#include "block.h"

namespace lanes::LEVEL {

struct Sgd {
  Block& b;
  float rate;

  Sgd(Block& b, const Law&, const Digits& digits, int step) : b(b), rate(digits.rates[step]) {}

  template <int N>
  INLINE void operator()(int slot, const Vec (&gradient)[N]) const {
    unroll<N>([&](auto i) __attribute__((always_inline)) { b.parameters[slot + i] -= rate * gradient[i]; });
  }
};

// The bias corrections are drawn out of the square root, into one rate of all parameters.
struct AdamW {
  Block& b;
  float rate, decay, small;

  AdamW(Block& b, const Law& law, const Digits& digits, int step) : b(b) {
    const double scale = std::sqrt((double)digits.square_scale[step]);
    rate = (float)(digits.rates[step] * digits.mean_scale[step] / scale);
    decay = digits.rates[step] * law.weight_decay;
    small = (float)(1e-8 / scale);
  }

  template <int N>
  INLINE void operator()(int slot, const Vec (&gradient)[N]) const {
    static_assert(N % 2 == 0, "parameters come in pairs");
    unroll<N / 2>([&](auto pair) __attribute__((always_inline)) {
      constexpr int i = 2 * pair;
      const Vec first = move_moments(slot + i, gradient[i]), second = move_moments(slot + i + 1, gradient[i + 1]);
      // Square roots and divisions take the time, so two quotients come of one division.
      const Vec both = 1.0f / (first * second);
      move(slot + i, both * second);
      move(slot + i + 1, both * first);
    });
  }

 private:
  // Returns what the first moment is to be divided by.
  INLINE Vec move_moments(int slot, Vec gradient) const {
    b.means[slot] += (gradient - b.means[slot]) * (float)(1 - 0.9);
    b.squares[slot] = b.squares[slot] * 0.999f + gradient * (gradient * (float)(1 - 0.999));
    return sqrt(b.squares[slot]) + small;
  }

  INLINE void move(int slot, Vec quotient) const {
    Vec p = b.parameters[slot];
    b.parameters[slot] = p - (rate * (b.means[slot] * quotient) + decay * p);
  }
};

}  // namespace lanes::LEVEL
