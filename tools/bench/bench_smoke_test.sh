#!/usr/bin/env bash
# The benchmarks run and print a row for each promise; their times are not looked at.
set -euo pipefail
table=$("$1" --smoke --threads=1)
echo "$table"
for row in "quantizer forward, signed" "quantizer backward, unsigned" "LeNet-5 Bayesian Bits training step"; do
  grep -q "^$row" <<<"$table"
done
if "$1" --no-such-flag 2>/dev/null; then exit 1; fi
