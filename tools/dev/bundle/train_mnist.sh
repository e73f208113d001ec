#!/usr/bin/env bash
# Trains LeNet-5 on MNIST with the published recipe (100 epochs) on a GPU, freezes, evaluates, and sums up.
#
#   train_mnist.sh DATA_FOLDER [OUTPUT_FOLDER] [--device=cuda:N] [flags of `bitgate train`, as --seed=2 or --epochs=1]
#
# DATA_FOLDER has the four IDX files of MNIST, plain or .gz. OUTPUT_FOLDER (default: a new one) gets the checkpoints, the
# log and the results.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

device=cuda:0 folders=() flags=()
for argument in "$@"; do
  case $argument in
    --device=*) device=${argument#*=} ;;
    -h | --help) folders=(); break ;;
    -*) flags+=("$argument") ;;
    *) folders+=("$argument") ;;
  esac
done
if [ ${#folders[@]} -lt 1 ] || [ ${#folders[@]} -gt 2 ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
data=${folders[0]}
output=${folders[1]:-$(mktemp -d "${TMPDIR:-/tmp}/bitgate-mnist.XXXXXX")}
mkdir -p "$output"

# The number of a key in a JSON result; keys may be nested, and the first one counts.
field() { sed -n "s/.*\"$2\":\([-+.0-9e]*\).*/\1/p" "$1" | head -n 1; }
percent() { awk "BEGIN { printf \"%.$2f %%\", 100 * $1 }"; }

begin=$(date +%s.%N)
run "$bundle/bin/bitgate" train --recipe=lenet5_mnist_bayesian_bits --data="$data" --device="$device" \
  --output="$output/mnist.safetensors" --overwrite --json "${flags[@]}" >"$output/train.json"
trained=$(date +%s.%N)

final=$output/mnist.safetensors
if grep -q '"frozen":false' "$output/train.json"; then
  final=$output/frozen.safetensors
  run "$bundle/bin/bitgate" freeze "$output/mnist.safetensors" --output="$final" --json >"$output/freeze.json"
fi
run "$bundle/bin/bitgate" eval "$final" --data="$data" --device="$device" --json >"$output/eval.json"
run "$bundle/bin/bitgate" bits "$final"

echo
echo "test accuracy  $(percent "$(field "$output/eval.json" accuracy)" 2), frozen"
echo "relative BOPs  $(percent "$(field "$output/eval.json" relative_bops)" 3)"
awk "BEGIN { printf \"wall time      %.1f s for %d epochs, reading the data and saving included\\n\", \
  $trained - $begin, $(field "$output/train.json" epochs) }"
awk "BEGIN { printf \"               %.1f s of it training\\n\", $(field "$output/train.json" seconds) }"
echo "files          $output"
