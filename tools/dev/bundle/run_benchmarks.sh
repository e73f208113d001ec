#!/usr/bin/env bash
# Measures on a GPU: the table of ratios, then PyTorch's LeNet-5 step where there is a PyTorch.
#
#   run_benchmarks.sh [--device=cuda:N] [--smoke]
#
# --smoke: tiny sizes, to see that it runs; its numbers mean nothing. The environment variable PYTHON names the Python
# that has PyTorch, if it is not python3. Exit status 1 when there is no GPU to measure on.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

device=cuda:0 smoke=()
for argument in "$@"; do
  case $argument in
    --device=*) device=${argument#*=} ;;
    --smoke) smoke=(--smoke) ;;
    *) echo "usage: run_benchmarks.sh [--device=cuda:N] [--smoke]" >&2; exit 2 ;;
  esac
done

table=$(run "$bundle/bin/bench" --device="$device" "${smoke[@]}") || exit 1
echo "$table"
ours=$(sed -n 's/^LeNet-5 float step, replayed  *\([0-9.]*\) .*/\1/p' <<<"$table" | head -n 1)
echo
echo "LeNet-5 float step, PyTorch:"
command -v "$python" >/dev/null || { echo "SKIPPED: no $python"; exit 0; }
# The device that has our number is the only one that PyTorch sees.
CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-${device#cuda:}} "$python" "$bundle/pytorch_lenet.py" --device=cuda \
  ${ours:+--ours="$ours"} "${smoke[@]}"
