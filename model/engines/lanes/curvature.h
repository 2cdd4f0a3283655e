// Diagonal second derivatives of the loss, in the positive approximation of model/curvature.py: backpropagation with
// squared weights, squared inputs and squared derivatives of the activations.
#pragma once

#include "backward.h"
#include "objective.h"

namespace lanes::LEVEL {

// Two blocks: one for the forward pass, one that holds squared weights and squared inputs.
struct CurvatureBlocks {
  Block plain, squared;
};

template <class Activation>
struct Squared {
  static INLINE Vec backward(Vec delta, Vec square) {
    const Vec slope = Activation::slope(square);
    return delta * (slope * slope);
  }
};

// Takes the place of an optimizer, and adds up what it is given.
struct Accumulate {
  Vec* sums;

  template <int N>
  INLINE void operator()(int slot, const Vec (&terms)[N]) const {
    unroll<N>([&](auto i) __attribute__((always_inline)) { sums[slot + i] += terms[i]; });
  }
};

template <class T>
INLINE void square(const T* from, T* to, int count) {
  for (int i = 0; i < count; i++) to[i] = from[i] * from[i];
}

// Adds the second derivatives of every example to `sums`, by slot.
template <class Activation>
void add_curvature(const Hyperparams& hyperparams, const Examples& examples, CurvatureBlocks& blocks, Vec* sums) {
  Block &b = blocks.plain, &squared = blocks.squared;
  square(b.parameters, squared.parameters, PARAMETERS);
  for (int i = 0; i < examples.count; i++) {
    load_image(b, examples.images + (long)i * IMAGE * IMAGE);
    forward1<Activation>(b, b.image);
    forward2<Activation>(b, b.h2[0]);
    forward3<Activation>(b, b.h2, b.h3);
    forward4(b, b.h3[0], hyperparams.output);
    square(&b.image[0][0], &squared.image[0][0], PADDED_IMAGE * PADDED_IMAGE);
    square(&b.h1[0][0][0], &squared.h1[0][0][0], PLANES1 * PADDED1 * PADDED1);
    square(b.h2[0], squared.h2[0], UNITS2);
    square(b.h3[0], squared.h3[0], UNITS3);
    output_curvature(b, hyperparams, squared.delta4);
    backward<Squared<Activation>>(squared, hyperparams, Accumulate{sums});
  }
}

}  // namespace lanes::LEVEL
