// Optimizers: how a gradient changes N adjacent parameters. Plain gradient descent, gradient descent with a learning
// rate for each parameter (diagonal Newton), and AdamW as in optax.adamw.
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

struct Newton {
  Block& b;
  float rate;

  Newton(Block& b, const Hyperparams&, const Examples& examples, int step)
      : b(b), rate(examples.learning_rates[step]) {}

  template <int N>
  INLINE void operator()(int slot, const Vec (&gradient)[N]) const {
    unroll<N>([&](auto i) __attribute__((always_inline)) {
      b.parameters[slot + i] -= rate * (gradient[i] * b.step_scales[slot + i]);
    });
  }
};

// One rate for all parameters contains the learning rate, the bias corrections and the divisors of `Moments`.
struct AdamW {
  static constexpr float DECAY1 = 0.9f, DECAY2 = 0.999f;
  static constexpr double SCALE1 = 1 - 0.9, SCALE2 = 1 - 0.999;

  Block& b;
  float rate, decay, epsilon;

  AdamW(Block& b, const Hyperparams& hyperparams, const Examples& examples, int step) : b(b) {
    const double scale = std::sqrt(SCALE2 * examples.square_scale[step]);
    rate = (float)(SCALE1 * examples.learning_rates[step] * examples.mean_scale[step] / scale);
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
      const Vec both = rate / (first * second);
      update_parameter(slot + i, both * second);
      update_parameter(slot + i + 1, both * first);
    });
  }

  static void load_moments(Block& b, const Replicas& replicas, int first) {
    load(replicas.means, replicas, first, [&](int slot) -> Vec& { return b.moments[slot].gradients; });
    load(replicas.squares, replicas, first, [&](int slot) -> Vec& { return b.moments[slot].squares; });
    for (Moments& m : b.moments) m.gradients *= (float)(1 / SCALE1), m.squares *= (float)(1 / SCALE2);
  }

  static void store_moments(Block& b, const Replicas& replicas, int first) {
    for (Moments& m : b.moments) m.gradients *= (float)SCALE1, m.squares *= (float)SCALE2;
    store([&](int slot) -> Vec& { return b.moments[slot].gradients; }, replicas, first, replicas.means);
    store([&](int slot) -> Vec& { return b.moments[slot].squares; }, replicas, first, replicas.squares);
  }

 private:
  // Returns the divisor of the first moment.
  INLINE Vec update_moments(int slot, Vec gradient) const {
    Moments& m = b.moments[slot];
    m.gradients = m.gradients * DECAY1 + gradient;
    m.squares = m.squares * DECAY2 + gradient * gradient;
    return sqrt(m.squares) + epsilon;
  }

  INLINE void update_parameter(int slot, Vec step) const {
    // The decay is added to the step first: 1 - decay would round to 1.
    const Vec p = b.parameters[slot];
    b.parameters[slot] = p - (b.moments[slot].gradients * step + decay * p);
  }
};

}  // namespace lanes::LEVEL
