// Calls every function of the native library with every combination of hyperparameters, at several widths, also with
// NaN and infinity in weights and pixels. test_native.py builds it with sanitizers: each array has exactly the size
// that the interface states. Prints one checksum per kernel, so that runs can be compared.

#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "kernel.h"
#include "shape.h"

namespace {

constexpr int EXAMPLES = 2, THREADS = 2;
constexpr int PIXELS = lanes::IMAGE * lanes::IMAGE;
constexpr float INF = std::numeric_limits<float>::infinity(), NOT_A_NUMBER = std::numeric_limits<float>::quiet_NaN();

uint32_t random_state = 1;

// From -1 to 1.
float uniform() {
  random_state = random_state * 1664525u + 1013904223u;
  return (float)(random_state >> 8) / (1 << 23) - 1.0f;
}

std::vector<float> uniforms(long count, float largest) {
  std::vector<float> numbers(count);
  for (float& number : numbers) number = largest * uniform();
  return numbers;
}

double sum(const std::vector<float>& numbers) {
  double total = 0;
  for (float number : numbers) total += std::isfinite(number) ? (double)number : 1.0;
  return total;
}

// Trains, evaluates, estimates curvature and draws. `bad` is written to weights of the first replica and, if
// `spoil_image`, to an image.
double exercise(int kernel, const Hyperparams& hyperparams, int count, float bad, bool spoil_image) {
  const long size = (long)count * lanes::PARAMETERS;
  std::vector<float> images = uniforms(EXAMPLES * PIXELS, 1),
                     learning_rates(EXAMPLES, hyperparams.optimizer == OPTIMIZER_ADAMW ? 1e-3f : 1e-2f);
  std::vector<float> mean_scale(EXAMPLES, 10), square_scale(EXAMPLES, 1000);
  std::vector<float> parameters = uniforms(size, 0.3f), means(hyperparams.optimizer == OPTIMIZER_ADAMW ? size : 0),
                     squares = means;
  std::vector<float> step_scales = uniforms(hyperparams.optimizer == OPTIMIZER_NEWTON ? size : 0, 1);
  std::vector<uint32_t> shift_keys(2 * count), dropout_keys(2 * count);
  for (int i = 0; i < 2 * count; i++) shift_keys[i] = 3 * i, dropout_keys[i] = ~5u * i;
  const std::vector<int32_t> labels = {0, 9};
  if (!(bad == 0)) parameters[0] = parameters[lanes::PARAMETERS - 1] = bad;
  if (spoil_image) images[PIXELS + 7] = bad;

  const Examples examples = {images.data(),     labels.data(),       learning_rates.data(),
                             mean_scale.data(), square_scale.data(), EXAMPLES};
  const Replicas replicas = {parameters.data(), means.data(),        squares.data(), step_scales.data(),
                             shift_keys.data(), dropout_keys.data(), count};
  std::vector<double> loss(count);
  std::vector<int32_t> misses(count), shifts(2 * count);
  std::vector<int8_t> predictions((long)count * EXAMPLES);
  std::vector<float> margins((long)count * EXAMPLES), curvature(size);
  std::vector<uint8_t> dropout_mask((long)count * lanes::UNITS2);
  const Scores scores = {loss.data(), misses.data(), predictions.data(), margins.data()};

  int failed = lanes_train(kernel, &hyperparams, &examples, &replicas, THREADS);
  failed += lanes_evaluate(kernel, &hyperparams, &examples, &replicas, &scores, THREADS);
  failed += lanes_curvature(kernel, &hyperparams, &examples, &replicas, curvature.data(), THREADS);
  failed += lanes_draw(kernel, &hyperparams, &replicas, EXAMPLES, shifts.data(), dropout_mask.data());
  if (failed) return NOT_A_NUMBER;
  double total = sum(parameters) + sum(means) + sum(squares) + sum(margins) + sum(curvature);
  for (int i = 0; i < count; i++) total += (std::isfinite(loss[i]) ? loss[i] : 1.0) + misses[i] + shifts[2 * i];
  for (int8_t digit : predictions) total += 0 <= digit && digit <= 9 ? digit : NOT_A_NUMBER;
  for (uint8_t kept : dropout_mask) total += kept;
  return total;
}

}  // namespace

int main() {
  for (int kernel = 0; kernel < lanes_kernel_count(); kernel++) {
    double total = 0;
    for (int i = 0; i < 54; i++) {
      const int activation = i % 3, output = i / 3 % 3, optimizer = i / 9 % 3, cross_entropy = i / 27;
      // A cycle of four beside those of three: every value occurs with every value of every other hyperparameter.
      const int shift = i & 1 ? (i & 4 ? 8 : 1) : 0;
      const uint32_t drop_threshold = i & 2 ? 1u << 30 : 0;
      const Hyperparams hyperparams = {activation, output, cross_entropy,  optimizer,
                                       0.01f,      shift,  drop_threshold, 0.75f};
      // Half of the widths per combination. Every width occurs with every value of every hyperparameter.
      const bool odd = __builtin_parity(i);
      for (int count : odd ? std::vector{1, 33} : std::vector{7, 16})
        total += exercise(kernel, hyperparams, count, 0, false);
      total += exercise(kernel, hyperparams, 2, NOT_A_NUMBER, odd) + exercise(kernel, hyperparams, 2, -INF, !odd);
    }
    if (!std::isfinite(total)) return 1;
    std::printf("%s %d %.17g\n", lanes_kernel_name(kernel), lanes_kernel_width(kernel), total);
  }
}
