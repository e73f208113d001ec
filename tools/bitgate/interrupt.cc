#include "tools/bitgate/interrupt.h"

#include <signal.h>
#include <unistd.h>

namespace bitgate::cli {
namespace {

volatile sig_atomic_t interrupted = 0;

void Handle(int) {
  if (interrupted) _exit(kInterruptedExitCode);
  interrupted = 1;
}

}  // namespace

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = Handle;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return interrupted != 0; }

}  // namespace bitgate::cli
