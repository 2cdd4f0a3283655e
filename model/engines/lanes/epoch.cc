// Training and evaluation of one block over all examples. Compiled once per instruction set, with -D LEVEL=name
// LANES=width REGISTERS=count.

#include <algorithm>

#include "backward.h"
#include "curvature.h"
#include "kernel.h"
#include "objective.h"
#include "optimizer.h"

namespace lanes::LEVEL {

// The keys of each lane. `keys` is null when the variant does not use the stream.
Key load_key(const uint32_t* keys, const Replicas& replicas, int first) {
  Key key{};
  if (!keys) return key;
  for (int lane = 0; lane < LANES; lane++) {
    const uint32_t* words = keys + 2 * (long)replica(replicas, first, lane);
    key.a[lane] = words[0];
    key.b[lane] = words[1];
  }
  return key;
}

template <class Activation, class Optimizer>
void train(const Hyperparams& hyperparams, const Examples& examples, const Replicas& replicas, int first, Block& b) {
  Key shift_key = load_key(replicas.shift_keys, replicas, first);
  Key dropout_key = load_key(replicas.dropout_keys, replicas, first);
  for (int step = 0; step < examples.count; step++) {
    const float* image = examples.images + (long)step * IMAGE * IMAGE;
    if (hyperparams.shift) {
      Ints rows, columns;
      draw_shift(shift_key, step, hyperparams.shift, rows, columns);
      load_rolled_image(b, image, rows, columns, hyperparams.shift);
      forward1<Activation>(b, b.rolled_image);
    } else {
      load_image(b, image);
      forward1<Activation>(b, b.image);
    }
    forward2<Activation>(b, b.h2[0]);
    if (hyperparams.drop_threshold) {
      draw_dropout_mask(dropout_key, step, hyperparams.drop_threshold, b.dropout_mask);
      apply_dropout(b, hyperparams.keep_probability);
    }
    forward3<Activation>(b, b.h2, b.h3);
    forward4(b, b.h3[0], hyperparams.output);
    differentiate_loss(b, hyperparams, examples.labels[step]);
    Optimizer optimizer(b, hyperparams, examples, step);
    backward<Activation>(b, hyperparams, optimizer);
  }
}

template <class Optimizer>
void train_with(const Hyperparams& hyperparams, const Examples& examples, const Replicas& replicas, int first,
                Block& b) {
  switch (hyperparams.activation) {
    case ACTIVATION_RELU:
      return train<Relu, Optimizer>(hyperparams, examples, replicas, first, b);
    case ACTIVATION_SCALED_TANH:
      return train<ScaledTanh, Optimizer>(hyperparams, examples, replicas, first, b);
    default:
      return train<Tanh, Optimizer>(hyperparams, examples, replicas, first, b);
  }
}

void train_block(const Hyperparams& hyperparams, const Examples& examples, const Replicas& replicas, int first,
                 void* scratch) {
  Block& b = *(Block*)scratch;
  const auto parameter = [&](int slot) -> Vec& { return b.parameters[slot]; };
  load(replicas.parameters, replicas, first, parameter);
  clear_borders(b);
  switch (hyperparams.optimizer) {
    case OPTIMIZER_ADAMW:
      AdamW::load_moments(b, replicas, first);
      train_with<AdamW>(hyperparams, examples, replicas, first, b);
      AdamW::store_moments(b, replicas, first);
      break;
    case OPTIMIZER_NEWTON:
      load(replicas.step_scales, replicas, first, [&](int slot) -> Vec& { return b.step_scales[slot]; });
      train_with<Newton>(hyperparams, examples, replicas, first, b);
      break;
    default:
      train_with<Sgd>(hyperparams, examples, replicas, first, b);
  }
  store(parameter, replicas, first, replicas.parameters);
}

template <class Activation>
void evaluate(const Hyperparams& hyperparams, const Examples& examples, const Replicas& replicas, const Scores& scores,
              int first, Block& b) {
  double loss[LANES] = {};
  Ints misses = {};
  Vec h2[BATCH][UNITS2] = {}, h3[BATCH][UNITS3];
  for (int start = 0; start < examples.count; start += BATCH) {
    const int count = std::min(BATCH, examples.count - start);
    for (int n = 0; n < count; n++) {
      load_image(b, examples.images + (long)(start + n) * IMAGE * IMAGE);
      forward1<Activation>(b, b.image);
      forward2<Activation>(b, h2[n]);
    }
    forward3<Activation>(b, h2, h3);
    for (int n = 0; n < count; n++) {
      const int label = examples.labels[start + n];
      forward4(b, h3[n], hyperparams.output);
      add_loss(b, hyperparams, label, loss);
      Ints digit = predicted_digit(b.outputs);
      misses -= digit != label;  // a true comparison is -1
      const Vec margins = margin(b.outputs);
      for (int lane = 0; lane < LANES && first + lane < replicas.count; lane++) {
        const long place = (long)(first + lane) * examples.count + start + n;
        scores.predictions[place] = (int8_t)digit[lane];
        if (scores.margins) scores.margins[place] = margins[lane];
      }
    }
  }
  for (int lane = 0; lane < LANES && first + lane < replicas.count; lane++) {
    scores.loss[first + lane] = loss[lane] / examples.count;
    scores.misses[first + lane] = misses[lane];
  }
}

void evaluate_block(const Hyperparams& hyperparams, const Examples& examples, const Replicas& replicas,
                    const Scores& scores, int first, void* scratch) {
  Block& b = *(Block*)scratch;
  const auto parameter = [&](int slot) -> Vec& { return b.parameters[slot]; };
  load(replicas.parameters, replicas, first, parameter);
  clear_borders(b);
  switch (hyperparams.activation) {
    case ACTIVATION_RELU:
      return evaluate<Relu>(hyperparams, examples, replicas, scores, first, b);
    case ACTIVATION_SCALED_TANH:
      return evaluate<ScaledTanh>(hyperparams, examples, replicas, scores, first, b);
    default:
      return evaluate<Tanh>(hyperparams, examples, replicas, scores, first, b);
  }
}

// Second derivatives of the loss, mean over the examples, in canonical layout. See curvature.h.
void curvature_block(const Hyperparams& hyperparams, const Examples& examples, const Replicas& replicas, int first,
                     float* curvature, void* scratch) {
  CurvatureBlocks& blocks = *(CurvatureBlocks*)scratch;
  Vec* sums = blocks.squared.step_scales;
  load(replicas.parameters, replicas, first, [&](int slot) -> Vec& { return blocks.plain.parameters[slot]; });
  clear_borders(blocks.plain);
  clear_borders(blocks.squared);
  for (int slot = 0; slot < PARAMETERS; slot++) sums[slot] = Vec{};
  Hyperparams without_draws = hyperparams;
  without_draws.shift = 0;
  without_draws.drop_threshold = 0;
  switch (hyperparams.activation) {
    case ACTIVATION_RELU:
      add_curvature<Relu>(without_draws, examples, blocks, sums);
      break;
    case ACTIVATION_SCALED_TANH:
      add_curvature<ScaledTanh>(without_draws, examples, blocks, sums);
      break;
    default:
      add_curvature<Tanh>(without_draws, examples, blocks, sums);
  }
  for (int slot = 0; slot < PARAMETERS; slot++) sums[slot] /= (float)examples.count;
  store([&](int slot) -> Vec& { return sums[slot]; }, replicas, first, curvature);
}

// The random draws of an update, for tests. shifts: [replicas, 2]; dropout_mask: [replicas, 192], 1 where kept.
void draw_block(const Hyperparams& hyperparams, const Replicas& replicas, int first, int step, int32_t* shifts,
                uint8_t* dropout_mask) {
  Ints rows, columns, mask[UNITS2];
  draw_shift(load_key(replicas.shift_keys, replicas, first), step, hyperparams.shift, rows, columns);
  draw_dropout_mask(load_key(replicas.dropout_keys, replicas, first), step, hyperparams.drop_threshold, mask);
  for (int lane = 0; lane < LANES && first + lane < replicas.count; lane++) {
    shifts[2 * (first + lane)] = rows[lane];
    shifts[2 * (first + lane) + 1] = columns[lane];
    for (int i = 0; i < UNITS2; i++) dropout_mask[(long)(first + lane) * UNITS2 + i] = mask[i][lane] != 0;
  }
}

extern const Kernel kernel;
const Kernel kernel = {NAME, LANES, sizeof(CurvatureBlocks), train_block, evaluate_block, curvature_block, draw_block};

}  // namespace lanes::LEVEL
