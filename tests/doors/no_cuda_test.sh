#!/usr/bin/env bash
# What is built for the processor alone has nothing of CUDA's in it and asks for none of its libraries.
#
#   no_cuda_test.sh [--skip] FILE...
set -uo pipefail
if [ "$1" = --skip ]; then
  echo "SKIPPED: this build is for CUDA"
  exit 0
fi

failed=0
# Prints the lines that name CUDA or a library of its; they are not to be there.
reject() {
  local found
  found=$(grep -Ei 'cuda|cudnn|cublas|nvidia' <<<"$2") || return 0
  printf '%s: expected nothing of CUDA, got\n%s\n' "$1" "$found"
  failed=1
}

for file in "$@"; do
  symbols=$(nm "$file"; nm -D "$file") || { echo "$file: nm failed"; exit 1; }
  [ "$(wc -l <<<"$symbols")" -gt 1000 ] || { echo "$file: expected a file that has kept its symbols"; exit 1; }
  reject "symbols of $file" "$(c++filt <<<"$symbols")"
  needed=$(ldd "$file") || { echo "$file: ldd failed"; exit 1; }
  reject "libraries of $file" "$(awk '{ print $1 }' <<<"$needed")"
done
exit $failed
