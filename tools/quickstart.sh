#!/usr/bin/env bash
# From a fresh clone to a network that has learned its bit widths: sets the machine up, builds the program, trains
# LeNet-5 on Fashion-MNIST with Bayesian Bits and once more in float for comparison, exports the first as ONNX, runs it
# with onnxruntime, and sums up. Some minutes of training on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=dist/quickstart
recipe=lenet5_fashion_quickstart

say() { echo; echo "quickstart: $*"; }

# The value of a top-level key in a JSON result.
field() { .venv/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }

tools/setup.sh

say "building the program"
bazel build --noshow_progress //tools/bitgate
bitgate=$PWD/bazel-bin/tools/bitgate/bitgate
mkdir -p "$out"

say "training with learned bit widths (recipe $recipe)"
"$bitgate" train --recipe="$recipe" --output="$out/bits.safetensors" --overwrite --json >"$out/bits.json"

epochs=$(field "$out/bits.json" epochs)
say "training the same network in float, $epochs epochs"
"$bitgate" train --recipe=lenet5_float --epochs="$epochs" --output="$out/float.safetensors" --overwrite --json \
  >"$out/float.json"

final=$out/bits.safetensors
if [ "$(field "$out/bits.json" frozen)" != True ]; then
  say "freezing"
  final=$out/frozen.safetensors
  "$bitgate" freeze "$out/bits.safetensors" --output="$final"
fi

say "exporting and running the exported model with onnxruntime"
"$bitgate" export "$final" --onnx="$out/model.onnx"
"$bitgate" eval "$final" --predictions="$out/predictions.txt" --json >"$out/eval.json"

say "done"
"$bitgate" bits "$final"
.venv/bin/python3 tools/dev/quickstart_summary.py "$out"
