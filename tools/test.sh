#!/usr/bin/env bash
# Sets the machine up, runs every test on the processor, those of the C interface again under sanitizers, checks the
# format; where a CUDA toolkit is found, runs the tests that serve any device on an emulated GPU and compiles the CUDA
# targets (for one architecture); and ends with the line `N passed, N failed, N skipped`.
#
# What is counted: each GoogleTest case and each case of a C test is one, each time that it runs; every other test
# target is one; a test target that does not build or crashes is one failure; the format check, that of the GPU bundle's
# list and the CUDA build are one each. Arguments go to `bazel test`.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

passed=0 failed=0 skipped=0
finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}

say() { echo "test: $*"; }

tools/setup.sh || { failed=1; finish; }

events=$(mktemp)
trap 'rm -f "$events"' EXIT

# bazel test with these arguments; what it ran is added to the counts.
run_tests() {
  local status counts ran
  say "bazel test $*"
  bazel test --keep_going --noshow_progress --build_event_json_file="$events" "$@"
  status=$?
  counts=$(/usr/bin/python3 tools/dev/count_tests.py "$events") || counts="0 1 0"
  read -ra ran <<<"${counts##*$'\n'}"
  [ "$counts" = "${counts##*$'\n'}" ] || echo "${counts%$'\n'*}"
  # Status 4 is "nothing to test"; 3 is "a test failed", which is counted already.
  if [ $status -ne 0 ] && [ $status -ne 4 ] && [ "${ran[1]}" -eq 0 ]; then ran[1]=1; fi
  passed=$((passed + ran[0])) failed=$((failed + ran[1])) skipped=$((skipped + ran[2]))
}

run_tests "$@" //...
# The C interface once more, with the library built for AddressSanitizer and UndefinedBehaviorSanitizer.
run_tests "$@" --config=sanitize //tests/abi:c_tests //api/common/...

say "tools/dev/format.sh --check"
if tools/dev/format.sh --check; then passed=$((passed + 1)); else failed=$((failed + 1)); fi

say "tools/dev/check_gpu_tests.sh"
if tools/dev/check_gpu_tests.sh; then passed=$((passed + 1)); else failed=$((failed + 1)); fi

cuda_path=${CUDA_PATH:-/usr/local/cuda}
if [ -x "$cuda_path/bin/nvcc" ]; then
  run_tests "$@" --config=cuda_emulated --test_env=BITGATE_TEST_DEVICE=cuda:0 --build_tests_only \
    --test_tag_filters=gpu //...
  targets=$(bazel query --noshow_progress 'attr("tags", "\bcuda\b", //...)' 2>/dev/null)
  say "bazel build --config=cuda, $(wc -w <<<"$targets") targets"
  # Unquoted on purpose: one label a word.
  if [ -n "$targets" ] && bazel build --config=cuda --config=cuda_ci --keep_going --noshow_progress $targets; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
  # What links all of it: it says, or skips visibly, that there is no GPU; the wheel and the SDK work on the processor.
  run_tests "$@" --config=cuda --config=cuda_ci //tools/dev:bundle_test //tests/wheel:wheel_test //tests/sdk:sdk_test \
    //tests/abi:export_test
else
  say "SKIPPED: the tests on an emulated GPU, for there is no CUDA toolkit in $cuda_path"
  say "SKIPPED: the CUDA build, for the same reason"
  skipped=$((skipped + 2))
fi
finish
