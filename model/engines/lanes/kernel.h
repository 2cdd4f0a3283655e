// The library's interface, in plain C types that library.py mirrors; and what one instruction set's kernel offers.
#pragma once

#include <cstdint>

extern "C" {

// What decides the mathematics of an update: model.variants.Variant, as far as the kernel needs it.
struct Law {
  int32_t relu;           // hidden units: 1 ReLU, 0 tanh
  int32_t tanh_output;    // output units: 1 tanh, 0 linear
  int32_t cross_entropy;  // 1 softmax cross-entropy, 0 mean squared error
  int32_t adamw;          // 1 AdamW, 0 plain gradient steps
  float weight_decay;     // AdamW's
  int32_t shift;          // largest roll of an image, pixels; 0 for none
  uint32_t drop_below;    // an H2 output is dropped when its random bits are below; 0 keeps all
  float keep;             // the others are divided by this, 1 - dropout
};

// An epoch of digits. What is per update is shared by all replicas.
struct Digits {
  const float* images;        // [count, 16, 16]
  const int32_t* labels;      // [count] in 0..9
  const float* rates;         // [count] learning rates; training only
  const float* mean_scale;    // [count] AdamW's bias corrections 1 / (1 - 0.9^t) …
  const float* square_scale;  // [count] … and 1 / (1 - 0.999^t)
  int32_t count;
};

// Replicas in canonical layout (shape.h), changed in place by training.
struct Replicas {
  float* parameters;           // [count, 9760]
  float* means;                // [count, 9760] AdamW's first moments, or null
  float* squares;              // [count, 9760] AdamW's second moments, or null
  const uint32_t* shift_keys;  // [count, 2] this epoch's keys of the shift stream; null: not drawn from
  const uint32_t* drop_keys;   // [count, 2] this epoch's keys of the dropout stream; null: not drawn from
  int32_t count;
};

// Scores of replicas.
struct Scores {
  double* loss;         // [count] mean over the digits
  int32_t* misses;      // [count]
  int8_t* predictions;  // [count, digits]
};

// `kernel` counts the kernels that this processor can run from 0, the slowest. Those that return an int32_t return 0,
// or 1 when there is not enough memory.
int32_t lanes_kernel_count();
const char* lanes_kernel_name(int32_t kernel);
int32_t lanes_kernel_width(int32_t kernel);  // replicas in a block
const char* lanes_sources();                 // digest of the sources that the library was built from
int32_t lanes_train(int32_t kernel, const Law*, const Digits*, const Replicas*, int32_t threads);
int32_t lanes_evaluate(int32_t kernel, const Law*, const Digits*, const Replicas*, const Scores*, int32_t threads);
// What an update draws, for tests. shifts: [replicas, 2]; kept: [replicas, 192].
int32_t lanes_draw(int32_t kernel, const Law*, const Replicas*, int32_t step, int32_t* shifts, uint8_t* kept);

}  // extern "C"

namespace lanes {

// One instruction set's kernel. A block is the `lanes` replicas from `first` on; absent ones are padded.
struct Kernel {
  const char* name;
  int lanes;
  // Bytes of scratch memory that a call needs, aligned to 64; a thread reuses its own.
  long scratch;
  void (*train)(const Law&, const Digits&, const Replicas&, int first, void* scratch);
  void (*evaluate)(const Law&, const Digits&, const Replicas&, const Scores&, int first, void* scratch);
  void (*draw)(const Law&, const Replicas&, int first, int step, int32_t* shifts, uint8_t* kept);
};

}  // namespace lanes
