// Ctrl-C and SIGTERM: the first asks to stop, the second ends the program at once.
#ifndef BITGATE_TOOLS_BITGATE_INTERRUPT_H_
#define BITGATE_TOOLS_BITGATE_INTERRUPT_H_

namespace bitgate::cli {

inline constexpr int kInterruptedExitCode = 130;

void CatchInterrupts();

// Whether stopping was asked for.
bool Interrupted();

}  // namespace bitgate::cli

#endif  // BITGATE_TOOLS_BITGATE_INTERRUPT_H_
