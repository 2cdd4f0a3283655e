// How a gradient changes a parameter: plain steps, or optax.adamw.
#pragma once

#include "block.h"

namespace lanes::LEVEL {

struct Sgd {
  Block& b;
  float rate;

  Sgd(Block& b, const Law&, const Digits& digits, int step) : b(b), rate(digits.rates[step]) {}

  INLINE void operator()(int slot, Vec gradient) const { b.parameters[slot] -= rate * gradient; }
};

struct AdamW {
  Block& b;
  float rate, decay, mean_scale, square_scale;

  AdamW(Block& b, const Law& law, const Digits& digits, int step)
      : b(b),
        rate(digits.rates[step]),
        decay(law.weight_decay),
        mean_scale(digits.mean_scale[step]),
        square_scale(digits.square_scale[step]) {}

  INLINE void operator()(int slot, Vec gradient) const {
    Vec mean = b.means[slot] * 0.9f + gradient * (float)(1 - 0.9);
    Vec square = b.squares[slot] * 0.999f + gradient * gradient * (float)(1 - 0.999);
    b.means[slot] = mean;
    b.squares[slot] = square;
    Vec direction = mean * mean_scale / (sqrt(square * square_scale) + 1e-8f);
    Vec p = b.parameters[slot];
    b.parameters[slot] = p - rate * (direction + decay * p);
  }
};

}  // namespace lanes::LEVEL
