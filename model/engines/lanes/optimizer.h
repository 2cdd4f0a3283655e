// Optimizers: how a gradient changes N adjacent parameters. Plain gradient descent, or AdamW as in optax.adamw.
#pragma once

#include <cmath>

#include "block.h"

namespace lanes::LEVEL {

struct Sgd {
  Block& b;
  float rate;

  Sgd(Block& b, const Hyperparams&, const Examples& examples, int step) : b(b), rate(examples.learning_rates[step]) {}

  template <int N>
  INLINE void operator()(int slot, const Vec (&gradient)[N]) const {
    unroll<N>([&](auto i) __attribute__((always_inline)) { b.parameters[slot + i] -= rate * gradient[i]; });
  }
};

// The bias corrections are factored out of the square root, into one rate for all parameters.
struct AdamW {
  Block& b;
  float rate, decay, epsilon;

  AdamW(Block& b, const Hyperparams& hyperparams, const Examples& examples, int step) : b(b) {
    const double scale = std::sqrt((double)examples.square_scale[step]);
    rate = (float)(examples.learning_rates[step] * examples.mean_scale[step] / scale);
    decay = examples.learning_rates[step] * hyperparams.weight_decay;
    epsilon = (float)(1e-8 / scale);
  }

  template <int N>
  INLINE void operator()(int slot, const Vec (&gradient)[N]) const {
    static_assert(N % 2 == 0, "parameters come in pairs");
    unroll<N / 2>([&](auto pair) __attribute__((always_inline)) {
      constexpr int i = 2 * pair;
      const Vec first = update_moments(slot + i, gradient[i]);
      const Vec second = update_moments(slot + i + 1, gradient[i + 1]);
      // Square roots and divisions dominate the cost, so one division gives two quotients.
      const Vec both = 1.0f / (first * second);
      update_parameter(slot + i, both * second);
      update_parameter(slot + i + 1, both * first);
    });
  }

 private:
  // Returns the divisor of the first moment.
  INLINE Vec update_moments(int slot, Vec gradient) const {
    b.means[slot] += (gradient - b.means[slot]) * (float)(1 - 0.9);
    b.squares[slot] = b.squares[slot] * 0.999f + gradient * (gradient * (float)(1 - 0.999));
    return sqrt(b.squares[slot]) + epsilon;
  }

  INLINE void update_parameter(int slot, Vec reciprocal) const {
    Vec p = b.parameters[slot];
    b.parameters[slot] = p - (rate * (b.means[slot] * reciprocal) + decay * p);
  }
};

}  // namespace lanes::LEVEL
