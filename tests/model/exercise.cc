// Calls every function of the native library under every law, at several widths, with numbers that are none among
// weights and pixels. test_native.py builds it with sanitizers: each array is just as long as the interface says.
// Prints a line of sums, by which two runs are compared.

#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "kernel.h"
#include "shape.h"

namespace {

constexpr int DIGITS = 2, CORES = 2;
constexpr int PIXELS = lanes::IMAGE * lanes::IMAGE;
constexpr float INF = std::numeric_limits<float>::infinity(), NONE = std::numeric_limits<float>::quiet_NaN();

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

// Trains, evaluates and draws; bad: put into the first replica's weights and, when `spoil` is set, into an image.
double exercise(int kernel, const Law& law, int count, float bad, bool spoil) {
  const long size = (long)count * lanes::PARAMETERS;
  std::vector<float> images = uniforms(DIGITS * PIXELS, 1), rates(DIGITS, law.adamw ? 1e-3f : 1e-2f);
  std::vector<float> mean_scale(DIGITS, 10), square_scale(DIGITS, 1000);
  std::vector<float> parameters = uniforms(size, 0.3f), means(law.adamw ? size : 0), squares = means;
  std::vector<uint32_t> shift_keys(2 * count), drop_keys(2 * count);
  for (int i = 0; i < 2 * count; i++) shift_keys[i] = 3 * i, drop_keys[i] = ~5u * i;
  const std::vector<int32_t> labels = {0, 9};
  if (!(bad == 0)) parameters[0] = parameters[lanes::PARAMETERS - 1] = bad;
  if (spoil) images[PIXELS + 7] = bad;

  const Digits digits = {images.data(), labels.data(), rates.data(), mean_scale.data(), square_scale.data(), DIGITS};
  const Replicas replicas = {parameters.data(), means.data(), squares.data(),
                             shift_keys.data(), drop_keys.data(), count};
  std::vector<double> loss(count);
  std::vector<int32_t> misses(count), shifts(2 * count);
  std::vector<int8_t> predictions((long)count * DIGITS);
  std::vector<uint8_t> kept((long)count * lanes::UNITS2);
  const Scores scores = {loss.data(), misses.data(), predictions.data()};

  int failed = lanes_train(kernel, &law, &digits, &replicas, CORES);
  failed += lanes_evaluate(kernel, &law, &digits, &replicas, &scores, CORES);
  failed += lanes_draw(kernel, &law, &replicas, DIGITS, shifts.data(), kept.data());
  if (failed) return NONE;
  double total = sum(parameters) + sum(means) + sum(squares);
  for (int i = 0; i < count; i++) total += (std::isfinite(loss[i]) ? loss[i] : 1.0) + misses[i] + shifts[2 * i];
  for (int8_t digit : predictions) total += 0 <= digit && digit <= 9 ? digit : NONE;
  for (uint8_t one : kept) total += one;
  return total;
}

}  // namespace

int main() {
  for (int kernel = 0; kernel < lanes_kernel_count(); kernel++) {
    double total = 0;
    for (int bits = 0; bits < 64; bits++) {
      const int shift = bits & 16 ? (bits & 1 ? 8 : 1) : 0;
      const uint32_t drop_below = bits & 32 ? 1u << 30 : 0;
      const Law law = {bits & 1, bits >> 1 & 1, bits >> 2 & 1, bits >> 3 & 1, 0.01f, shift, drop_below, 0.75f};
      // Half of the widths for each law: every law and every width, and every pair of a width with a choice.
      const bool odd = __builtin_parity(bits);
      for (int count : odd ? std::vector{1, 33} : std::vector{7, 16}) total += exercise(kernel, law, count, 0, false);
      total += exercise(kernel, law, 2, NONE, odd) + exercise(kernel, law, 2, -INF, !odd);
    }
    if (!std::isfinite(total)) return 1;
    std::printf("%s %d %.17g\n", lanes_kernel_name(kernel), lanes_kernel_width(kernel), total);
  }
}
