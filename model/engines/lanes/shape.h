// Shape of the network: 9,760 parameters. model/network.py gives the source.
//
// Two layouts of one replica's parameters:
// - canonical: the leaves of the Flax tree in tree order, each row-major, concatenated. Python uses this layout.
// - slots: the order in which the kernel reads them. A slot is one vector: the same parameter of every lane.
#pragma once

namespace lanes {

constexpr int IMAGE = 16;  // side of an image, pixels
constexpr int KERNEL = 5;  // side of the convolution kernels, stride 2
constexpr int TAPS = KERNEL * KERNEL;
constexpr int BORDER = 2;  // background pixels around the input of a convolution
constexpr float BACKGROUND = -1.0f;

constexpr int SIDE1 = 8;  // H1: 12 planes of 8×8
constexpr int PLANES1 = 12;
constexpr int SIDE2 = 4;  // H2: 12 planes of 4×4, in three groups of four that read eight H1 planes each
constexpr int PLANES2 = 12;
constexpr int GROUPS = 3;
constexpr int GROUP_READS = 8;
constexpr int GROUP_PLANES = PLANES2 / GROUPS;
constexpr int UNITS1 = SIDE1 * SIDE1 * PLANES1;
constexpr int UNITS2 = SIDE2 * SIDE2 * PLANES2;
constexpr int UNITS3 = 30;  // H3 and the output: fully connected
constexpr int OUTPUTS = 10;

// The H1 planes form three quads: A 0..3, B 4..7, C 8..11. The groups read A+B, B+C and A+C.
constexpr int QUAD = 4;
constexpr int QUADS = PLANES1 / QUAD;

// The groups that read a quad, and whether the quad is the first or the second half of their inputs.
constexpr struct {
  int group, half;
} READERS[QUADS][2] = {{{0, 0}, {2, 0}}, {{0, 1}, {1, 0}}, {{1, 1}, {2, 1}}};

// Canonical layout: offset of each leaf, with its shape in the Flax tree.
namespace canonical {
constexpr int CONV1 = 0;                                      // Conv_0: [5, 5, 1, 12]
constexpr int CONV2 = CONV1 + TAPS * PLANES1;                 // Conv_1..3: [5, 5, 8, 4] each
constexpr int DENSE3 = CONV2 + TAPS * GROUP_READS * PLANES2;  // Dense_0: [192, 30]
constexpr int DENSE4 = DENSE3 + UNITS2 * UNITS3;              // Dense_1: [30, 10]
constexpr int BIAS1 = DENSE4 + UNITS3 * OUTPUTS;              // bias1: [8, 8, 12]
constexpr int BIAS2 = BIAS1 + UNITS1;                         // bias2: [4, 4, 12]
constexpr int BIAS3 = BIAS2 + UNITS2;                         // bias3: [30]
constexpr int BIAS4 = BIAS3 + UNITS3;                         // bias4: [10]
constexpr int SIZE = BIAS4 + OUTPUTS;
}  // namespace canonical

constexpr int PARAMETERS = canonical::SIZE;
static_assert(PARAMETERS == 9760, "1,068 + 2,592 + 5,790 + 310");

}  // namespace lanes
