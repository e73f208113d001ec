#!/usr/bin/env bash
# The benchmarks run and print a row for each promise; their times are not looked at.
set -euo pipefail
table=$("$1" --smoke --threads=1)
echo "$table"
for row in "quantizer forward, signed" "quantizer backward, unsigned" "LeNet-5 Bayesian Bits training step" \
  "the same through bg_trainer_step" "bg_add of 16 floats"; do
  grep -q "^$row" <<<"$table"
done
table=$("$1" --cifar --smoke --threads=1)
echo "$table"
for row in "ResNet-20 BSQ training step" "VGG-7 Bayesian Bits step, published statistics" \
  "the same, statistics of the quantized layer"; do
  grep -q "^$row.*peak" <<<"$table"
done
if "$1" --no-such-flag 2>/dev/null; then exit 1; fi
