// Forward pass of a block: from an image to ten outputs.
#pragma once

#include "block.h"
#include "draws.h"

namespace lanes::LEVEL {

// Activations. `forward`: output of a unit from its sum. `backward`: derivative of the loss with respect to the sum,
// from the derivative with respect to the output and the output.
struct Tanh {
  static INLINE Vec forward(Vec sum) { return tanh(sum); }
  static INLINE Vec backward(Vec delta, Vec output) { return delta * (1.0f - output * output); }
};

struct Relu {
  static INLINE Vec forward(Vec sum) { return sum < 0.0f ? Vec{} : sum; }  // NaN stays NaN
  static INLINE Vec backward(Vec delta, Vec output) { return output > 0.0f ? delta : Vec{}; }
};

// Loads the same image into every lane.
INLINE void load_image(Block& b, const float* image) {
  for (int y = 0; y < IMAGE; y++)
    for (int x = 0; x < IMAGE; x++) b.image[BORDER + y][BORDER + x] = splat(image[y * IMAGE + x]);
}

// Loads the image into each lane, rolled by that lane's rows and columns as by numpy.roll.
INLINE void load_rolled_image(Block& b, const float* image, Ints rows, Ints columns) {
  for (int lane = 0; lane < LANES; lane++)
    for (int y = 0; y < IMAGE; y++) {
      const float* row = image + ((y - rows[lane]) & (IMAGE - 1)) * IMAGE;
      for (int x = 0; x < IMAGE; x++) b.image[BORDER + y][BORDER + x][lane] = row[(x - columns[lane]) & (IMAGE - 1)];
    }
}

template <class Activation>
LAYER void forward1(Block& b) {
  constexpr int tile = 2;
  const Vec* p = b.parameters;
  for (int plane = 0; plane < PLANES1; plane += tile)
    for (int y = 0; y < SIDE1; y++)
      for (int x = 0; x < SIDE1; x += ROW) {
        Vec sum[ROW][tile];
        for (int i = 0; i < ROW; i++)
          for (int k = 0; k < tile; k++) sum[i][k] = p[slot::b1(plane + k, y, x + i)];
        for (int ky = 0; ky < KERNEL; ky++)
          for (int kx = 0; kx < KERNEL; kx++) {
            const Vec* input = &b.image[2 * y + ky][2 * x + kx];
            const Vec* w = p + slot::w1(ky * KERNEL + kx, plane);
            add_products<2, 1>(sum, input, w);
          }
        for (int i = 0; i < ROW; i++)
          for (int k = 0; k < tile; k++) b.h1[plane + k][BORDER + y][BORDER + x + i] = sum[i][k];
      }
  // Separate from the sums, so that the processor overlaps many activations.
  for (int plane = 0; plane < PLANES1; plane++)
    for (int y = BORDER; y < BORDER + SIDE1; y++)
      for (int x = BORDER; x < BORDER + SIDE1; x++) b.h1[plane][y][x] = Activation::forward(b.h1[plane][y][x]);
}

template <class Activation>
LAYER void forward2(Block& b) {
  const Vec* p = b.parameters;
  for (int plane = 0; plane < PLANES2; plane += TILE2) {
    const int* quads = READS[plane / GROUP_PLANES];
    for (int row = 0; row < SIDE2; row++) {
      Vec sum[ROW][TILE2];
      for (int i = 0; i < ROW; i++)
        for (int k = 0; k < TILE2; k++) sum[i][k] = p[slot::b2(unit2(row, i, plane + k))];
      for (int ky = 0; ky < KERNEL; ky++)
        for (int half = 0; half < 2; half++) {
          const Vec* input = &b.h1[quads[half] * QUAD][2 * row + ky][0];
          const Vec* w = p + slot::w2(ky * KERNEL, half * QUAD, plane);
          for (int kx = 0; kx < KERNEL; kx++)
            unroll<QUAD>([&](auto q) __attribute__((always_inline)) {
              add_products<2, 1>(sum, input + q * PADDED1 * PADDED1 + kx, w + (kx * GROUP_READS + q) * TILE2);
            });
        }
      for (int i = 0; i < ROW; i++)
        for (int k = 0; k < TILE2; k++) b.h2[unit2(row, i, plane + k)] = sum[i][k];
    }
  }
  for (Vec& unit : b.h2) unit = Activation::forward(unit);
}

INLINE void apply_dropout(Block& b, float keep_probability) {
  for (int i = 0; i < UNITS2; i++) b.h2[i] = b.dropout_mask[i] ? b.h2[i] / keep_probability : Vec{};
}

template <class Activation>
LAYER void forward3(Block& b) {
  const Vec* p = b.parameters;
  for (int unit = 0; unit < UNITS3; unit += TILE3) {
    Vec sum[TILE3];
    for (int k = 0; k < TILE3; k++) sum[k] = p[slot::b3(unit + k)];
    for (int i = 0; i < UNITS2; i++) {
      const Vec* w = p + slot::w3(i, unit);
      for (int k = 0; k < TILE3; k++) sum[k] += b.h2[i] * w[k];
    }
    for (int k = 0; k < TILE3; k++) b.h3[unit + k] = sum[k];
  }
  for (Vec& unit : b.h3) unit = Activation::forward(unit);
}

LAYER void forward4(Block& b, bool tanh_output) {
  const Vec* p = b.parameters;
  Vec sum[OUTPUTS];
  for (int k = 0; k < OUTPUTS; k++) sum[k] = p[slot::b4(k)];
  for (int i = 0; i < UNITS3; i++)
    for (int k = 0; k < OUTPUTS; k++) sum[k] += b.h3[i] * p[slot::w4(i, k)];
  for (int k = 0; k < OUTPUTS; k++) b.outputs[k] = tanh_output ? tanh(sum[k]) : sum[k];
}

}  // namespace lanes::LEVEL
