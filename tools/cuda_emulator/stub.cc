// What dlopen finds under the name of a CUDA library. It has nothing of its own: the emulator, which it needs, has the
// functions, and dlsym looks there too.
#include <cstddef>

extern "C" size_t cudnnGetVersion();
extern "C" size_t cublasLtGetVersion();

// Uses the emulator, so that the linker keeps it among the libraries needed.
size_t EmulatedVersion() { return cudnnGetVersion() + cublasLtGetVersion(); }
