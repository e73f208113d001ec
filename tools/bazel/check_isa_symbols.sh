#!/bin/bash
# Fails if a library compiled for one instruction set defines a symbol that the linker may share with code for other
# processors: a weak one outside bitgate::cpu::<isa> and Highway's own namespace of that target.
set -euo pipefail
failed=0
for archive in "$@"; do
  case $archive in
    *_avx2.a | *_avx2.lo) own='3cpu4avx2|6N_AVX2' ;;
    *_avx512.a | *_avx512.lo) own='3cpu6avx512|6N_AVX3' ;;
    *) echo "check_isa_symbols: expected *_avx2.a or *_avx512.a, got $archive"; exit 1 ;;
  esac
  symbols=$(nm --defined-only --no-sort "$archive")
  shared=$(awk 'NF == 3 && $2 ~ /^[WVu]$/ {print $3}' <<<"$symbols" | grep -Ev "$own" | grep -v '^DW\.ref\.' || true)
  if [ -n "$shared" ]; then
    echo "$archive: expected weak symbols in $own only, got:"
    c++filt <<<"$shared" | sed 's/^/  /'
    failed=1
  fi
done
exit $failed
