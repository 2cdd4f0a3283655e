// The two losses of model/objective.py: their derivative, their value, and the predicted digit.
#pragma once

#include <cmath>

#include "block.h"

namespace lanes::LEVEL {

// Outputs minus the largest. Fills `shifted` and returns the sum of their exponentials.
INLINE Vec shift_outputs(const Vec outputs[OUTPUTS], Vec shifted[OUTPUTS]) {
  Vec largest = outputs[0];
  for (int k = 1; k < OUTPUTS; k++) largest = outputs[k] > largest ? outputs[k] : largest;
  for (int k = 0; k < OUTPUTS; k++) shifted[k] = outputs[k] - largest;
  Vec sum = {};
  for (int k = 0; k < OUTPUTS; k++) sum += exp_negative(shifted[k]);
  return sum;
}

// delta4: derivative of the loss by the sums that enter the output units.
INLINE void differentiate_loss(Block& b, const Law& law, int label) {
  if (law.cross_entropy) {
    Vec shifted[OUTPUTS];
    Vec sum = shift_outputs(b.outputs, shifted);
    for (int k = 0; k < OUTPUTS; k++)
      b.delta4[k] = exp_negative(shifted[k]) / sum - (k == label ? 1.0f : 0.0f);
  } else {
    for (int k = 0; k < OUTPUTS; k++)
      b.delta4[k] = (b.outputs[k] - (k == label ? 1.0f : -1.0f)) * (2.0f / OUTPUTS);
  }
  if (law.tanh_output)
    for (int k = 0; k < OUTPUTS; k++) b.delta4[k] *= 1.0f - b.outputs[k] * b.outputs[k];
}

// The loss of each lane, added to `totals`.
INLINE void add_loss(const Block& b, const Law& law, int label, double totals[LANES]) {
  Vec loss = {};
  if (law.cross_entropy) {
    Vec shifted[OUTPUTS];
    Vec sum = shift_outputs(b.outputs, shifted);
    // Terms of 0 are not nothing: an output infinitely far away makes the loss NaN, here as in Optax.
    for (int k = 0; k < OUTPUTS; k++) loss -= shifted[k] * (k == label ? 1.0f : 0.0f);
    for (int i = 0; i < LANES; i++) totals[i] += (double)loss[i] + std::log((double)sum[i]);
  } else {
    for (int k = 0; k < OUTPUTS; k++) {
      Vec error = b.outputs[k] - (k == label ? 1.0f : -1.0f);
      loss += error * error;
    }
    for (int i = 0; i < LANES; i++) totals[i] += (double)loss[i] / OUTPUTS;
  }
}

// As jnp.argmax: the first of the largest, and the first NaN before any number.
INLINE Ints predicted_digit(const Vec outputs[OUTPUTS]) {
  Vec best = outputs[0];
  Ints digit = {};
  for (int k = 1; k < OUTPUTS; k++) {
    Ints better = (best == best) & ((outputs[k] > best) | (outputs[k] != outputs[k]));
    best = better ? outputs[k] : best;
    digit = better ? Ints{} + k : digit;
  }
  return digit;
}

}  // namespace lanes::LEVEL
