#!/usr/bin/env bash
# Every test tagged "gpu" is in the bundle for a machine with a GPU, but for the exceptions here. A script, for a
# genquery cannot ask about //... .
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

exceptions=(
  //api/python:cuda_test                # needs the module, which is made for one Python
  //tools/bench:gpu_bench_smoke_test    # run_benchmarks.sh --smoke does what it does
  //tools/cuda_emulator:emulator_test   # about the emulator, not a GPU
)

query="attr('tags', '\bgpu\b', tests(//...)) except deps(//tools/dev:bundle, 1) except set(${exceptions[*]})"
missing=$(bazel query --noshow_progress --ui_event_filters=-info "$query") || exit 1
[ -n "$missing" ] || exit 0
echo "expected in GPU_TESTS of tools/dev/BUILD, or among the exceptions of tools/dev/check_gpu_tests.sh:"
echo "$missing"
exit 1
