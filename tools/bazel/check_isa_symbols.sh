#!/bin/bash
# Fails if code compiled for one instruction set could run on a processor without it, because its library defines
#   - a symbol that the linker may share with other code: a weak one outside bitgate::cpu::<isa> and Highway's namespace;
#   - an initializer of a global, which runs before any choice is made.
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
  initializers=$(awk 'NF == 3 {print $3}' <<<"$symbols" | grep -E '^_GLOBAL__(sub_)?I_' || true)
  if [ -n "$initializers" ]; then
    echo "$archive: expected no global that needs code to be initialized, got $initializers"
    failed=1
  fi
  if [ -n "$shared" ]; then
    echo "$archive: expected weak symbols in $own only, got:"
    c++filt <<<"$shared" | sed 's/^/  /'
    failed=1
  fi
done
exit $failed
