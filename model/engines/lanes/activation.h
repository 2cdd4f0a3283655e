// Activations. `forward`: output of a unit from its sum. `backward`: derivative of the loss with respect to the sum,
// from the derivative with respect to the output and the output. `slope`: derivative of the activation, from the square
// of the output.
#pragma once

#include "kernel.h"
#include "vec.h"

namespace lanes::LEVEL {

struct Tanh {
  static INLINE Vec forward(Vec sum) { return tanh(sum); }
  static INLINE Vec slope(Vec square) { return 1.0f - square; }
  static INLINE Vec backward(Vec delta, Vec output) { return delta * slope(output * output); }
};

struct Relu {
  static INLINE Vec forward(Vec sum) { return sum < 0.0f ? Vec{} : sum; }  // NaN stays NaN
  static INLINE Vec slope(Vec square) { return square > 0.0f ? splat(1.0f) : Vec{}; }
  static INLINE Vec backward(Vec delta, Vec output) { return output > 0.0f ? delta : Vec{}; }
};

struct ScaledTanh {
  static constexpr double SCALE = 1.7159, SLOPE = 2.0 / 3;  // SCALE · tanh(SLOPE · sum), LeCun et al. 1998

  static INLINE Vec forward(Vec sum) { return (float)SCALE * tanh((float)SLOPE * sum); }
  static INLINE Vec slope(Vec square) { return (float)(SCALE * SLOPE) - (float)(SLOPE / SCALE) * square; }
  static INLINE Vec backward(Vec delta, Vec output) { return delta * slope(output * output); }
};

// An output unit, whose activation is not a template argument: there are only ten.
INLINE Vec activate(int32_t output, Vec sum) {
  switch (output) {
    case OUTPUT_TANH:
      return Tanh::forward(sum);
    case OUTPUT_SCALED_TANH:
      return ScaledTanh::forward(sum);
    default:
      return sum;
  }
}

INLINE Vec differentiate(int32_t output, Vec delta, Vec value) {
  switch (output) {
    case OUTPUT_TANH:
      return Tanh::backward(delta, value);
    case OUTPUT_SCALED_TANH:
      return ScaledTanh::backward(delta, value);
    default:
      return delta;
  }
}

}  // namespace lanes::LEVEL
