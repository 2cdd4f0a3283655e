// Forward pass of a block: from an image to ten outputs.
#pragma once

#include "activation.h"
#include "block.h"
#include "draws.h"

namespace lanes::LEVEL {

// Loads an image that all lanes share.
INLINE void load_image(Block& b, const float* image) {
  for (int y = 0; y < IMAGE; y++)
    for (int x = 0; x < IMAGE; x++) b.image[BORDER + y][BORDER + x] = image[y * IMAGE + x];
}

// Loads the image into each lane, rolled by that lane's rows and columns as by numpy.roll. largest: bound of both.
INLINE void load_rolled_image(Block& b, const float* image, Ints rows, Ints columns, int largest) {
  for (int y = 0; y < IMAGE; y++) {
    Vec line[IMAGE] = {};  // row y of the image rolled by rows alone
    for (int shift = -largest; shift <= largest; shift++) {
      const float* row = image + ((y - shift) & (IMAGE - 1)) * IMAGE;
      const Ints match = rows == shift;
      for (int x = 0; x < IMAGE; x++) line[x] = match ? splat(row[x]) : line[x];
    }
    Vec* rolled = &b.rolled_image[BORDER + y][BORDER];
    for (int shift = -largest; shift <= largest; shift++) {
      const Ints match = columns == shift;
      for (int x = 0; x < IMAGE; x++) rolled[x] = match ? line[(x - shift) & (IMAGE - 1)] : rolled[x];
    }
  }
}

// image: `b.image` or `b.rolled_image`.
template <class Activation, class Pixel>
LAYER void forward1(Block& b, const Pixel (&image)[PADDED_IMAGE][PADDED_IMAGE]) {
  const Vec* p = b.parameters;
  Vec sums[TILE1][SIDE1][SIDE1];  // separate from the activations, many of which the processor overlaps
  for (int plane = 0; plane < PLANES1; plane += TILE1) {
    for (int y = 0; y < SIDE1; y++)
      for (int x = 0; x < SIDE1; x += ROW) {
        Vec sum[ROW][TILE1];
        for (int i = 0; i < ROW; i++)
          for (int k = 0; k < TILE1; k++) sum[i][k] = p[slot::b1(plane + k, y, x + i)];
        for (int ky = 0; ky < KERNEL; ky++)
          for (int kx = 0; kx < KERNEL; kx++) {
            const Pixel* input = &image[2 * y + ky][2 * x + kx];
            const Vec* w = p + slot::w1(ky * KERNEL + kx, plane);
            add_products<2, 1>(sum, input, w);
          }
        for (int i = 0; i < ROW; i++)
          for (int k = 0; k < TILE1; k++) sums[k][y][x + i] = sum[i][k];
      }
    for (int k = 0; k < TILE1; k++)
      for (int y = 0; y < SIDE1; y++)
        for (int x = 0; x < SIDE1; x++) b.h1[plane + k][BORDER + y][BORDER + x] = Activation::forward(sums[k][y][x]);
  }
}

// Writes the outputs of H2's units to `h2`.
template <class Activation>
LAYER void forward2(const Block& b, Vec h2[UNITS2]) {
  const Vec* p = b.parameters;
  // Two groups in succession read the same rows of a quad, and all rows of a group the same weights, so that both stay
  // in the L1 cache. Meanwhile the sums are in `h2`. A group reads the first half of its inputs before the second.
  for (int ky = 0; ky < KERNEL; ky++)
    for (int quad = 0; quad < QUADS; quad++)
      for (const auto& reader : READERS[quad]) {
        const Vec* start = ky == 0 && reader.half == 0 ? p + slot::b2(0) : h2;
        for (int plane = reader.group * GROUP_PLANES; plane < (reader.group + 1) * GROUP_PLANES; plane += TILE2)
          for (int row = 0; row < SIDE2; row++) {
            Vec sum[ROW][TILE2];
            for (int i = 0; i < ROW; i++)
              for (int k = 0; k < TILE2; k++) sum[i][k] = start[unit2(row, i, plane + k)];
            const Vec* input = &b.h1[quad * QUAD][2 * row + ky][0];
            const Vec* w = p + slot::w2(ky * KERNEL, reader.half * QUAD, plane);
            for (int kx = 0; kx < KERNEL; kx++)
              unroll<QUAD>([&](auto q) __attribute__((always_inline)) {
                add_products<2, 1>(sum, input + q * PADDED1 * PADDED1 + kx, w + (kx * QUAD + q) * TILE2);
              });
            for (int i = 0; i < ROW; i++)
              for (int k = 0; k < TILE2; k++) h2[unit2(row, i, plane + k)] = sum[i][k];
          }
      }
  for (int i = 0; i < UNITS2; i++) h2[i] = Activation::forward(h2[i]);
}

INLINE void apply_dropout(Block& b, float keep_probability) {
  for (int i = 0; i < UNITS2; i++) b.h2[0][i] = b.dropout_mask[i] ? b.h2[0][i] / keep_probability : Vec{};
}

// H3 of N examples, which share the loads of the weights. Part of the inputs of several examples stays in the L1 cache.
template <class Activation, int N>
LAYER void forward3(const Block& b, const Vec (&h2)[N][UNITS2], Vec (&h3)[N][UNITS3]) {
  constexpr int tile = N == 1 ? TILE3 : TILE3 / 2;
  constexpr int inputs = N == 1 ? UNITS2 : UNITS2 / 2;
  const Vec* p = b.parameters;
  for (int first = 0; first < UNITS2; first += inputs)
    for (int unit = 0; unit < UNITS3; unit += tile) {
      Vec sum[tile][N];
      for (int k = 0; k < tile; k++)
        for (int n = 0; n < N; n++) sum[k][n] = first == 0 ? p[slot::b3(unit + k)] : h3[n][unit + k];
      for (int i = first; i < first + inputs; i++) add_products<1, UNITS2>(sum, p + slot::w3(i, unit), &h2[0][i]);
      for (int k = 0; k < tile; k++)
        for (int n = 0; n < N; n++) h3[n][unit + k] = sum[k][n];
    }
  for (int n = 0; n < N; n++)
    for (int k = 0; k < UNITS3; k++) h3[n][k] = Activation::forward(h3[n][k]);
}

LAYER void forward4(Block& b, const Vec h3[UNITS3], int32_t output) {
  const Vec* p = b.parameters;
  Vec sum[OUTPUTS];
  for (int k = 0; k < OUTPUTS; k++) sum[k] = p[slot::b4(k)];
  for (int i = 0; i < UNITS3; i++)
    for (int k = 0; k < OUTPUTS; k++) sum[k] += h3[i] * p[slot::w4(i, k)];
  for (int k = 0; k < OUTPUTS; k++) b.outputs[k] = activate(output, sum[k]);
}

}  // namespace lanes::LEVEL
