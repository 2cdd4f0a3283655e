// A block of replicas, one per lane: its parameters by slot, and the intermediate results of an update.
#pragma once

#include "kernel.h"
#include "shape.h"
#include "vec.h"

namespace lanes::LEVEL {

// Tiles. The inner loop of a convolution holds the sums of 4 positions × TILE1 or TILE2 planes in registers; that of H3
// holds TILE3 units. The weights of one tile are contiguous, in the order in which the loops read them.
constexpr bool MANY = REGISTERS >= 32;  // enough registers for large tiles
constexpr int ROW = 4;                  // positions in a tile
constexpr int TILE1 = MANY ? 3 : 2;
constexpr int TILE2 = MANY ? 4 : 2;
constexpr int TILE3 = 10;
constexpr int TILE_BACK = MANY ? 4 : 2;  // planes of H1 in a tile of the backward passes
constexpr int BATCH = MANY ? 4 : 2;      // examples that evaluation passes to H3 together
constexpr int COUNTERS = MANY ? 8 : 4;   // random numbers that are drawn together
static_assert(PLANES1 % TILE1 == 0 && GROUP_PLANES % TILE2 == 0 && UNITS3 % TILE3 == 0, "tiles divide the layers");
static_assert(QUAD % TILE_BACK == 0 && UNITS2 % COUNTERS == 0, "tiles divide the layers");

namespace slot {
constexpr int W1 = 0;
constexpr int B1 = W1 + TAPS * PLANES1;
constexpr int W2 = B1 + UNITS1;
constexpr int B2 = W2 + TAPS * GROUP_READS * PLANES2;
constexpr int W3 = B2 + UNITS2;
constexpr int B3 = W3 + UNITS2 * UNITS3;
constexpr int W4 = B3 + UNITS3;
constexpr int B4 = W4 + UNITS3 * OUTPUTS;
static_assert(B4 + OUTPUTS == PARAMETERS, "every parameter has one slot");

constexpr int w1(int tap, int plane) { return W1 + tap * PLANES1 + plane; }
constexpr int b1(int plane, int y, int x) { return B1 + (plane * SIDE1 + y) * SIDE1 + x; }
// input: 0..7, among the eight planes that the group of `plane` reads.
constexpr int w2(int tap, int input, int plane) {
  return W2 + (((plane / TILE2 * 2 + input / QUAD) * TAPS + tap) * QUAD + input % QUAD) * TILE2 + plane % TILE2;
}
constexpr int b2(int unit) { return B2 + unit; }
constexpr int w3(int input, int unit) { return W3 + (unit / TILE3 * UNITS2 + input) * TILE3 + unit % TILE3; }
constexpr int b3(int unit) { return B3 + unit; }
constexpr int w4(int input, int unit) { return W4 + input * OUTPUTS + unit; }
constexpr int b4(int unit) { return B4 + unit; }
}  // namespace slot

// The slot of a parameter in canonical layout.
constexpr int slot_of(int index) {
  using namespace canonical;
  if (index < CONV2) return slot::w1(index / PLANES1, index % PLANES1);
  if (index < DENSE3) {
    constexpr int group_size = TAPS * GROUP_READS * GROUP_PLANES;
    int group = (index - CONV2) / group_size, i = (index - CONV2) % group_size;
    int tap = i / (GROUP_READS * GROUP_PLANES), input = i / GROUP_PLANES % GROUP_READS;
    return slot::w2(tap, input, group * GROUP_PLANES + i % GROUP_PLANES);
  }
  if (index < DENSE4) return slot::w3((index - DENSE3) / UNITS3, (index - DENSE3) % UNITS3);
  if (index < BIAS1) return slot::w4((index - DENSE4) / OUTPUTS, (index - DENSE4) % OUTPUTS);
  if (index < BIAS2) {
    int i = index - BIAS1;
    return slot::b1(i % PLANES1, i / (SIDE1 * PLANES1), i / PLANES1 % SIDE1);
  }
  if (index < BIAS3) return slot::b2(index - BIAS2);
  if (index < BIAS4) return slot::b3(index - BIAS3);
  return slot::b4(index - BIAS4);
}

constexpr int PADDED_IMAGE = IMAGE + 2 * BORDER;
constexpr int PADDED1 = SIDE1 + 2 * BORDER;

// Index of an H2 unit: (row, column, plane), row-major, as Flax flattens it.
constexpr int unit2(int row, int column, int plane) { return (row * SIDE2 + column) * PLANES2 + plane; }

// AdamW's moments of a parameter, divided by 1 - 0.9 and 1 - 0.999: sums of decayed gradients and of decayed squares.
struct Moments {
  Vec gradients, squares;
};

// All data of a block, in one allocation that stays in a core's cache.
struct Block {
  Vec parameters[PARAMETERS];
  float image[PADDED_IMAGE][PADDED_IMAGE];       // of all lanes …
  Vec rolled_image[PADDED_IMAGE][PADDED_IMAGE];  // … or of each lane
  Vec h1[PLANES1][PADDED1][PADDED1];
  Vec h2[1][UNITS2];  // after dropout; one example
  Vec h3[1][UNITS3];
  Vec outputs[OUTPUTS];
  Vec delta1[PLANES1][SIDE1][SIDE1];      // derivatives of the loss with respect to the units' sums
  Vec delta2[SIDE2][SIDE2 + 2][PLANES2];  // with a column of zeros on each side
  Vec delta3[UNITS3];
  Vec delta4[OUTPUTS];
  Ints dropout_mask[UNITS2];  // -1 where dropout keeps the output
  union {                     // last: plain gradient descent uses neither
    Moments moments[PARAMETERS];
    Vec step_scales[PARAMETERS];
  };
};

// Lane i holds replica `first + i`. Padding lanes repeat the last replica, so they cannot diverge on their own.
INLINE int replica(const Replicas& replicas, int first, int lane) {
  return first + lane < replicas.count ? first + lane : replicas.count - 1;
}

// at(slot): the vector of a slot.
template <class At>
inline void load(const float* canonical_rows, const Replicas& replicas, int first, At at) {
  for (int lane = 0; lane < LANES; lane++) {
    const float* row = canonical_rows + (long)replica(replicas, first, lane) * PARAMETERS;
    for (int i = 0; i < PARAMETERS; i++) at(slot_of(i))[lane] = row[i];
  }
}

template <class At>
inline void store(At at, const Replicas& replicas, int first, float* canonical_rows) {
  for (int lane = 0; lane < LANES && first + lane < replicas.count; lane++) {
    float* row = canonical_rows + (long)(first + lane) * PARAMETERS;
    for (int i = 0; i < PARAMETERS; i++) row[i] = at(slot_of(i))[lane];
  }
}

// Fill the borders once. Later writes change only the interior.
inline void clear_borders(Block& b) {
  for (float& v : (float (&)[PADDED_IMAGE * PADDED_IMAGE]) b.image) v = BACKGROUND;
  for (Vec& v : (Vec(&)[PADDED_IMAGE * PADDED_IMAGE]) b.rolled_image) v = splat(BACKGROUND);
  for (Vec& v : (Vec(&)[PLANES1 * PADDED1 * PADDED1]) b.h1) v = splat(BACKGROUND);
  for (Vec& v : (Vec(&)[SIDE2 * (SIDE2 + 2) * PLANES2]) b.delta2) v = Vec{};
}

}  // namespace lanes::LEVEL
