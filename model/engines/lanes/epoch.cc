// Whole epochs of one block. Compiled once for each instruction set, with -D LEVEL=name LANES=width REGISTERS=count.

#include "backward.h"
#include "kernel.h"
#include "objective.h"
#include "rule.h"

namespace lanes::LEVEL {

// A stream that the variant does not draw from has no keys.
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

template <class Unit, class Rule>
void train(const Law& law, const Digits& digits, const Replicas& replicas, int first, Block& b) {
  Key shift_key = load_key(replicas.shift_keys, replicas, first);
  Key drop_key = load_key(replicas.drop_keys, replicas, first);
  for (int step = 0; step < digits.count; step++) {
    const float* image = digits.images + (long)step * IMAGE * IMAGE;
    if (law.shift) {
      Ints rows, columns;
      draw_shift(shift_key, step, law.shift, rows, columns);
      show_rolled(b, image, rows, columns);
    } else {
      show(b, image);
    }
    forward1<Unit>(b);
    forward2<Unit>(b);
    if (law.drop_below) {
      draw_kept(drop_key, step, law.drop_below, b.kept);
      drop(b, law.keep);
    }
    forward3<Unit>(b);
    forward4(b, law.tanh_output);
    differentiate_loss(b, law, digits.labels[step]);
    Rule change(b, law, digits, step);
    backward4<Unit>(b, change);
    Vec by_output[UNITS2];
    backward3(b, by_output, change);
    backward_units2<Unit>(b, by_output, law, change);
    backward2<Unit>(b, change);
    backward1(b, change);
  }
}

void train_block(const Law& law, const Digits& digits, const Replicas& replicas, int first, void* scratch) {
  Block& b = *(Block*)scratch;
  load(replicas.parameters, replicas, first, b.parameters);
  clear_borders(b);
  if (law.adamw) {
    load(replicas.means, replicas, first, b.means);
    load(replicas.squares, replicas, first, b.squares);
    (law.relu ? train<Relu, AdamW> : train<Tanh, AdamW>)(law, digits, replicas, first, b);
    store(b.means, replicas, first, replicas.means);
    store(b.squares, replicas, first, replicas.squares);
  } else {
    (law.relu ? train<Relu, Sgd> : train<Tanh, Sgd>)(law, digits, replicas, first, b);
  }
  store(b.parameters, replicas, first, replicas.parameters);
}

template <class Unit>
void evaluate(const Law& law, const Digits& digits, const Replicas& replicas, const Scores& scores, int first,
              Block& b) {
  double loss[LANES] = {};
  Ints misses = {};
  for (int i = 0; i < digits.count; i++) {
    show(b, digits.images + (long)i * IMAGE * IMAGE);
    forward1<Unit>(b);
    forward2<Unit>(b);
    forward3<Unit>(b);
    forward4(b, law.tanh_output);
    add_loss(b, law, digits.labels[i], loss);
    Ints digit = predicted_digit(b.outputs);
    misses -= digit != digits.labels[i];  // a true comparison is -1
    for (int lane = 0; lane < LANES && first + lane < replicas.count; lane++)
      scores.predictions[(long)(first + lane) * digits.count + i] = (int8_t)digit[lane];
  }
  for (int lane = 0; lane < LANES && first + lane < replicas.count; lane++) {
    scores.loss[first + lane] = loss[lane] / digits.count;
    scores.misses[first + lane] = misses[lane];
  }
}

void evaluate_block(const Law& law, const Digits& digits, const Replicas& replicas, const Scores& scores, int first,
                    void* scratch) {
  Block& b = *(Block*)scratch;
  load(replicas.parameters, replicas, first, b.parameters);
  clear_borders(b);
  (law.relu ? evaluate<Relu> : evaluate<Tanh>)(law, digits, replicas, scores, first, b);
}

// What an update draws, for the tests. shifts: [replicas, 2]; kept: [replicas, 192].
void draw_block(const Law& law, const Replicas& replicas, int first, int step, int32_t* shifts, uint8_t* kept) {
  Ints rows, columns, mask[UNITS2];
  draw_shift(load_key(replicas.shift_keys, replicas, first), step, law.shift, rows, columns);
  draw_kept(load_key(replicas.drop_keys, replicas, first), step, law.drop_below, mask);
  for (int lane = 0; lane < LANES && first + lane < replicas.count; lane++) {
    shifts[2 * (first + lane)] = rows[lane];
    shifts[2 * (first + lane) + 1] = columns[lane];
    for (int i = 0; i < UNITS2; i++) kept[(long)(first + lane) * UNITS2 + i] = mask[i][lane] != 0;
  }
}

extern const Kernel kernel;
const Kernel kernel = {NAME, LANES, sizeof(Block), train_block, evaluate_block, draw_block};

}  // namespace lanes::LEVEL
