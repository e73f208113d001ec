#!/usr/bin/env bash
# The GPU's benchmarks run and print a row for each promise; their times are not looked at. Without a GPU they say so.
set -uo pipefail
if ! table=$("$1" --smoke --device=cuda:0 --threads=1 2>&1); then
  echo "$table"
  if grep -Eq "^bench: device: (cuda:0 )?expected .*(GPU|driver|CPU-only build)" <<<"$table"; then
    echo "SKIPPED: no GPU that this build can use"
    exit 0
  fi
  exit 1
fi
echo "$table"
for row in "quantizer forward, signed, up to 32 bits" "quantizer backward, unsigned and relu, up to 8 bits, channel" \
  "LeNet-5 Bayesian Bits step, replayed"; do
  grep -q "^$row" <<<"$table" || { echo "expected a row $row"; exit 1; }
done
grep -Eq "^quantizer forward, .* [0-9]+ GB/s, [0-9]+ % of the baseline's$" <<<"$table" || {
  echo "expected bandwidths"
  exit 1
}
if "$1" --device=cuda:99 2>/dev/null; then exit 1; fi
