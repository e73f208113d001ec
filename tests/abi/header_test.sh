#!/usr/bin/env bash
# bitgate.h, alone, is C99, C11 and C++17 that the strictest compilers take.
set -euo pipefail
header=$1
folder=$TEST_TMPDIR
for declared in 1 2; do  # once, and twice in one file
  printf '#include "bitgate.h"\n%.0s' $(seq $declared) >"$folder/use.c"
  echo 'int main(void) { return bg_check_abi(BG_ABI_VERSION) == BG_STATUS_OK ? 0 : 1; }' >>"$folder/use.c"
  cp "$folder/use.c" "$folder/use.cc"
  include=$(dirname "$header")
  strict=(-Wall -Wextra -pedantic -Werror -fsyntax-only "-I$include")
  for standard in c99 c11; do
    cc -std=$standard "${strict[@]}" -Wstrict-prototypes -Wmissing-prototypes "$folder/use.c"
  done
  c++ -std=c++17 "${strict[@]}" -Wold-style-cast "$folder/use.cc"
done
if cc -std=c99 -fsyntax-only -Werror "-I$include" -xc - <<<'#include "bitgate.h"
bg_status wrong(void) { return bg_check_abi(); }' 2>/dev/null; then
  echo "expected a wrong call not to compile"
  exit 1
fi
