// Declaring vectorised CPU kernels. Includes nothing: <op>_kernels.h is compiled once per instruction set, where
// headers with global objects of their own (<iostream>, and with it Abseil's status) would leave start-up code.
#ifndef BITGATE_RUNTIME_KERNEL_PER_ISA_H_
#define BITGATE_RUNTIME_KERNEL_PER_ISA_H_

// Declares kernels, from within namespace bitgate, once per instruction set.
#define BG_PER_ISA(...) \
  namespace cpu {       \
  namespace scalar {    \
  __VA_ARGS__           \
  }                     \
  namespace avx2 {      \
  __VA_ARGS__           \
  }                     \
  namespace avx512 {    \
  __VA_ARGS__           \
  }                     \
  }

#endif  // BITGATE_RUNTIME_KERNEL_PER_ISA_H_
