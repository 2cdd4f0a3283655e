// Backward pass of a block. Each pass over a layer's weights computes the derivatives with respect to its inputs and
// then updates the weights, so that they are loaded from the cache once.
#pragma once

#include "forward.h"

namespace lanes::LEVEL {

template <class Activation, class Optimizer>
LAYER void backward4(Block& b, const Optimizer& optimizer) {
  for (int i = 0; i < UNITS3; i++) {
    Vec sum = {};
    for (int k = 0; k < OUTPUTS; k++) sum += b.delta4[k] * b.parameters[slot::w4(i, k)];
    Vec gradient[OUTPUTS];
    for (int k = 0; k < OUTPUTS; k++) gradient[k] = b.delta4[k] * b.h3[0][i];
    optimizer(slot::w4(i, 0), gradient);
    b.delta3[i] = Activation::backward(sum, b.h3[0][i]);
  }
  optimizer(slot::b4(0), b.delta4);
}

// Writes the derivatives with respect to H2's outputs to `delta2`, in the order of the units.
template <class Optimizer>
LAYER void backward3(Block& b, Vec delta2[UNITS2], const Optimizer& optimizer) {
  for (int i = 0; i < UNITS2; i++) delta2[i] = Vec{};
  for (int unit = 0; unit < UNITS3; unit += TILE3) {
    Vec delta[TILE3];
    for (int k = 0; k < TILE3; k++) delta[k] = b.delta3[unit + k];
    for (int i = 0; i < UNITS2; i++) {
      Vec sum = delta2[i], input = b.h2[0][i], gradient[TILE3];
      for (int k = 0; k < TILE3; k++) sum += delta[k] * b.parameters[slot::w3(i, unit + k)];
      for (int k = 0; k < TILE3; k++) gradient[k] = delta[k] * input;
      optimizer(slot::w3(i, unit), gradient);
      delta2[i] = sum;
    }
  }
  optimizer(slot::b3(0), b.delta3);
}

// Derivatives with respect to H2's outputs, in; with respect to its sums, out. An output that dropout keeps is the
// activation divided by `keep_probability`.
template <class Activation, class Optimizer>
LAYER void backward_units2(Block& b, const Vec delta_output[UNITS2], const Hyperparams& hyperparams,
                           const Optimizer& optimizer) {
  for (int row = 0; row < SIDE2; row++)
    for (int column = 0; column < SIDE2; column++) {
      for (int plane = 0; plane < PLANES2; plane++) {
        int i = unit2(row, column, plane);
        Vec delta;
        if (hyperparams.drop_threshold) {
          delta = b.dropout_mask[i] ? Activation::backward(delta_output[i] / hyperparams.keep_probability,
                                                           b.h2[0][i] * hyperparams.keep_probability)
                                    : Vec{};
        } else {
          delta = Activation::backward(delta_output[i], b.h2[0][i]);
        }
        b.delta2[row][1 + column][plane] = delta;
      }
      optimizer(slot::b2(unit2(row, column, 0)), b.delta2[row][1 + column]);
    }
}

// delta1 of TILE_BACK planes from `in_quad` on. Output (row, column) of H2 reads H1 at (2·row + ky - 2, 2·column + kx -
// 2): four H1 columns of one parity share a tap's weights with four adjacent output columns, padded with zeros.
template <class Activation, int quad>
LAYER void backward_inputs2(Block& b, int in_quad) {
  const int plane = quad * QUAD + in_quad;
  for (int y = 0; y < SIDE1; y++)
    for (int odd = 0; odd < 2; odd++) {
      Vec sum[ROW][TILE_BACK] = {};
      for (int ky = y % 2; ky < KERNEL; ky += 2) {
        int row = (y + BORDER - ky) / 2;
        if (row < 0 || row >= SIDE2) continue;
        for (int kx = odd; kx < KERNEL; kx += 2)
          unroll<2 * GROUP_PLANES>([&](auto i) __attribute__((always_inline)) {
            constexpr auto reader = READERS[quad][i / GROUP_PLANES];
            constexpr int output = reader.group * GROUP_PLANES + i % GROUP_PLANES;
            const Vec* w = b.parameters + slot::w2(ky * KERNEL + kx, reader.half * QUAD + in_quad, output);
            add_products<PLANES2, TILE2>(sum, &b.delta2[row][2 - kx / 2][output], w);
          });
      }
      for (int i = 0; i < ROW; i++)
        for (int k = 0; k < TILE_BACK; k++) {
          Vec h1 = b.h1[plane + k][BORDER + y][BORDER + 2 * i + odd];
          b.delta1[plane + k][y][2 * i + odd] = Activation::backward(sum[i][k], h1);
        }
    }
}

// Updates the weights with which H2 reads four planes of H1.
template <class Optimizer>
LAYER void backward_weights2(Block& b, int quad, const Optimizer& optimizer) {
  for (const auto& reader : READERS[quad])
    for (int output = reader.group * GROUP_PLANES; output < (reader.group + 1) * GROUP_PLANES; output += TILE2)
      for (int ky = 0; ky < KERNEL; ky++)
        for (int kx = 0; kx < KERNEL; kx++) {
          Vec gradient[QUAD][TILE2] = {};
          for (int row = 0; row < SIDE2; row++)
            for (int column = 0; column < SIDE2; column++) {
              const Vec* delta = &b.delta2[row][1 + column][output];
              const Vec* h1 = &b.h1[quad * QUAD][2 * row + ky][2 * column + kx];
              add_products<PADDED1 * PADDED1, 1>(gradient, h1, delta);
            }
          unroll<QUAD>([&](auto q) __attribute__((always_inline)) {
            optimizer(slot::w2(ky * KERNEL + kx, reader.half * QUAD + q, output), gradient[q]);
          });
        }
}

template <class Activation, class Optimizer>
INLINE void backward2(Block& b, const Optimizer& optimizer) {
  unroll<QUADS>([&](auto quad) __attribute__((always_inline)) {
    for (int in_quad = 0; in_quad < QUAD; in_quad += TILE_BACK) backward_inputs2<Activation, quad>(b, in_quad);
    backward_weights2(b, quad, optimizer);
  });
}

template <class Optimizer, class Pixel>
LAYER void backward1(Block& b, const Pixel (&image)[PADDED_IMAGE][PADDED_IMAGE], const Optimizer& optimizer) {
  for (int plane = 0; plane < PLANES1; plane += TILE_BACK)
    for (int ky = 0; ky < KERNEL; ky++) {
      Vec gradient[KERNEL][TILE_BACK] = {};
      for (int y = 0; y < SIDE1; y++)
        for (int x = 0; x < SIDE1; x++)
          add_products<1, SIDE1 * SIDE1>(gradient, &image[2 * y + ky][2 * x], &b.delta1[plane][y][x]);
      unroll<KERNEL>(
          [&](auto kx) __attribute__((always_inline)) { optimizer(slot::w1(ky * KERNEL + kx, plane), gradient[kx]); });
    }
  for (int plane = 0; plane < PLANES1; plane++)
    for (int y = 0; y < SIDE1; y++) optimizer(slot::b1(plane, y, 0), b.delta1[plane][y]);
}

// All layers, from delta4.
template <class Activation, class Optimizer>
INLINE void backward(Block& b, const Hyperparams& hyperparams, const Optimizer& optimizer) {
  backward4<Activation>(b, optimizer);
  Vec delta_output[UNITS2];
  backward3(b, delta_output, optimizer);
  backward_units2<Activation>(b, delta_output, hyperparams, optimizer);
  backward2<Activation>(b, optimizer);
  if (hyperparams.shift)
    backward1(b, b.rolled_image, optimizer);
  else
    backward1(b, b.image, optimizer);
}

}  // namespace lanes::LEVEL
