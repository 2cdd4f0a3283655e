// The two losses of model/objective.py, their derivatives, and the predicted digit.
#pragma once

#include <cmath>

#include "activation.h"
#include "block.h"

namespace lanes::LEVEL {

// Writes the outputs minus the largest output to `shifted` and returns the sum of their exponentials.
INLINE Vec shift_outputs(const Vec outputs[OUTPUTS], Vec shifted[OUTPUTS]) {
  Vec largest = outputs[0];
  for (int k = 1; k < OUTPUTS; k++) largest = outputs[k] > largest ? outputs[k] : largest;
  for (int k = 0; k < OUTPUTS; k++) shifted[k] = outputs[k] - largest;
  Vec sum = {};
  for (int k = 0; k < OUTPUTS; k++) sum += exp_negative(shifted[k]);
  return sum;
}

// Computes delta4, the derivatives of the loss with respect to the output units' sums.
INLINE void differentiate_loss(Block& b, const Hyperparams& hyperparams, int label) {
  if (hyperparams.cross_entropy) {
    Vec shifted[OUTPUTS];
    Vec sum = shift_outputs(b.outputs, shifted);
    for (int k = 0; k < OUTPUTS; k++) b.delta4[k] = exp_negative(shifted[k]) / sum - (k == label ? 1.0f : 0.0f);
  } else {
    for (int k = 0; k < OUTPUTS; k++) b.delta4[k] = (b.outputs[k] - (k == label ? 1.0f : -1.0f)) * (2.0f / OUTPUTS);
  }
  for (int k = 0; k < OUTPUTS; k++) b.delta4[k] = differentiate(hyperparams.output, b.delta4[k], b.outputs[k]);
}

// Second derivatives of the loss with respect to the output units' sums, without the output's own second derivative.
INLINE void output_curvature(const Block& b, const Hyperparams& hyperparams, Vec curvature[OUTPUTS]) {
  Vec shifted[OUTPUTS];
  const Vec sum = shift_outputs(b.outputs, shifted);
  for (int k = 0; k < OUTPUTS; k++) {
    const Vec probability = exp_negative(shifted[k]) / sum;
    const Vec h = hyperparams.cross_entropy ? probability * (1.0f - probability) : splat(2.0f / OUTPUTS);
    const Vec once = differentiate(hyperparams.output, h, b.outputs[k]);
    curvature[k] = differentiate(hyperparams.output, once, b.outputs[k]);
  }
}

// Adds the loss of each lane to `totals`.
INLINE void add_loss(const Block& b, const Hyperparams& hyperparams, int label, double totals[LANES]) {
  Vec loss = {};
  if (hyperparams.cross_entropy) {
    Vec shifted[OUTPUTS];
    Vec sum = shift_outputs(b.outputs, shifted);
    // The products with 0 matter: an infinite difference makes the loss NaN, as in Optax.
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

// As jnp.argmax: the first of the largest outputs; the first NaN if there is one.
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

// Largest output minus the second largest, NaN if any output is.
INLINE Vec margin(const Vec outputs[OUTPUTS]) {
  Vec best = outputs[0], second = splat(-INFINITY), total = outputs[0];
  for (int k = 1; k < OUTPUTS; k++) {
    const Vec x = outputs[k];
    second = x > best ? best : x > second ? x : second;
    best = x > best ? x : best;
    total += x;
  }
  return total != total ? total : best - second;
}

}  // namespace lanes::LEVEL
