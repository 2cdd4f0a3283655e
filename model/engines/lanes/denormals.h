// Denormal numbers (below 1e-38) are flushed to zero while a guard exists, as in XLA's programs.
//
// AdamW's moments of a weight without gradients decay towards zero. Arithmetic on denormal numbers is up to a hundred
// times slower and does not change the results.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace lanes {

#if defined(__x86_64__)
inline uint64_t get_control() { return _mm_getcsr(); }
inline void set_control(uint64_t control) { _mm_setcsr((unsigned)control); }
constexpr uint64_t FLUSH = 0x8040;  // MXCSR: flush to zero, denormals are zero
#elif defined(__aarch64__)
inline uint64_t get_control() {
  uint64_t control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  return control;
}
inline void set_control(uint64_t control) { asm volatile("msr fpcr, %0" : : "r"(control)); }
constexpr uint64_t FLUSH = 1u << 24;  // FPCR: FZ
#else
inline uint64_t get_control() { return 0; }
inline void set_control(uint64_t) {}
constexpr uint64_t FLUSH = 0;
#endif

class FlushDenormals {
 public:
  FlushDenormals() : before_(get_control()) { set_control(before_ | FLUSH); }
  ~FlushDenormals() { set_control(before_); }
  FlushDenormals(const FlushDenormals&) = delete;

 private:
  uint64_t before_;
};

}  // namespace lanes
