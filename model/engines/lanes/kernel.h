// The C interface of the library, mirrored by library.py, and the interface of one instruction set's kernel.
#pragma once

#include <cstdint>

extern "C" {

enum Activation : int32_t { ACTIVATION_TANH, ACTIVATION_RELU, ACTIVATION_SCALED_TANH };
enum Output : int32_t { OUTPUT_LINEAR, OUTPUT_TANH, OUTPUT_SCALED_TANH };
enum Optimizer : int32_t { OPTIMIZER_SGD, OPTIMIZER_ADAMW, OPTIMIZER_NEWTON };

// Hyperparameters of an update: the fields of model.variants.Variant that the kernel needs.
struct Hyperparams {
  int32_t activation;       // of the hidden units: an Activation
  int32_t output;           // of the output units: an Output
  int32_t cross_entropy;    // 1 softmax cross-entropy, 0 mean squared error
  int32_t optimizer;        // an Optimizer
  float weight_decay;       // of AdamW
  int32_t shift;            // largest roll of an image, pixels; 0: none
  uint32_t drop_threshold;  // an H2 output is dropped when its random bits are below; 0: none is
  float keep_probability;   // 1 - dropout; the outputs that are kept are divided by it
};

// The examples of an epoch, shared by all replicas.
struct Examples {
  const float* images;          // [count, 16, 16]
  const int32_t* labels;        // [count] in 0..9
  const float* learning_rates;  // [count]; training only
  const float* mean_scale;      // [count] AdamW's bias corrections 1 / (1 - 0.9^t) …
  const float* square_scale;    // [count] … and 1 / (1 - 0.999^t)
  int32_t count;
};

// Replicas in canonical layout (shape.h). Training updates them in place.
struct Replicas {
  float* parameters;             // [count, 9760]
  float* means;                  // [count, 9760] AdamW's first moments, or null
  float* squares;                // [count, 9760] AdamW's second moments, or null
  const float* step_scales;      // [count, 9760] factors of Newton's learning rate in this epoch, or null
  const uint32_t* shift_keys;    // [count, 2] keys of the shift stream in this epoch, or null
  const uint32_t* dropout_keys;  // [count, 2] keys of the dropout stream in this epoch, or null
  int32_t count;
};

// Evaluation results of the replicas.
struct Scores {
  double* loss;         // [count] mean over the examples
  int32_t* misses;      // [count]
  int8_t* predictions;  // [count, examples]
  float* margins;       // [count, examples] largest output minus the second largest; null: not wanted
};

// kernel: index among the kernels that this processor can run, from 0 (the slowest). lanes_train, lanes_evaluate,
// lanes_curvature and lanes_draw return 0, or 1 when there is not enough memory.
int32_t lanes_kernel_count();
const char* lanes_kernel_name(int32_t kernel);
int32_t lanes_kernel_width(int32_t kernel);  // replicas in a block
const char* lanes_sources();                 // digest of the sources that the library was built from
int32_t lanes_train(int32_t kernel, const Hyperparams*, const Examples*, const Replicas*, int32_t threads);
int32_t lanes_evaluate(int32_t kernel, const Hyperparams*, const Examples*, const Replicas*, const Scores*,
                       int32_t threads);
// Diagonal second derivatives of the loss, positive approximation, mean over the examples: curvature [count, 9760].
int32_t lanes_curvature(int32_t kernel, const Hyperparams*, const Examples*, const Replicas*, float* curvature,
                        int32_t threads);
// The random draws of an update, for tests. shifts: [replicas, 2]; dropout_mask: [replicas, 192], 1 where kept.
int32_t lanes_draw(int32_t kernel, const Hyperparams*, const Replicas*, int32_t step, int32_t* shifts,
                   uint8_t* dropout_mask);

}  // extern "C"

namespace lanes {

// The kernel of one instruction set. A block holds the `lanes` replicas from `first` on, padded at the end.
struct Kernel {
  const char* name;
  int lanes;
  // Bytes of scratch memory that the largest call needs, aligned to 64. Each thread reuses its allocation.
  long scratch;
  void (*train)(const Hyperparams&, const Examples&, const Replicas&, int first, void* scratch);
  void (*evaluate)(const Hyperparams&, const Examples&, const Replicas&, const Scores&, int first, void* scratch);
  void (*curvature)(const Hyperparams&, const Examples&, const Replicas&, int first, float* curvature, void* scratch);
  void (*draw)(const Hyperparams&, const Replicas&, int first, int step, int32_t* shifts, uint8_t* dropout_mask);
};

}  // namespace lanes
