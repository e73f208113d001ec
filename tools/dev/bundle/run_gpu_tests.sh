#!/usr/bin/env bash
# Runs the tests of this folder on a GPU.
set -uo pipefail

usage() {
  cat <<'END'
Usage: run_gpu_tests.sh [OPTIONS] [NAME...]

Runs every test whose path has one of the NAMEs in it (all, without one) on a GPU, and prints a line each. The last line
counts GoogleTest's cases, those of C and Python tests and golden files: N passed, N failed, N skipped.

  --device=cuda:N          default: cuda:0
  --sanitizer=TOOL         under NVIDIA's compute-sanitizer: memcheck, racecheck, initcheck or synccheck
  --filter=PATTERN         of GoogleTest's cases: --gtest_filter
  --time_limit=SECONDS     of one test; default 300, under a sanitizer 3000
  --logs=FOLDER            what the tests print goes there; default: a new folder in the one for temporary files
  --list                   only names the tests

Exit status: 0 when nothing failed, 1 when something did, 2 for a usage error, 3 when there is no GPU to run on.
END
}

device=cuda:0 sanitizer='' limit='' logs='' list='' filter='' names=()
for argument in "$@"; do
  case $argument in
    --device=*) device=${argument#*=} ;;
    --sanitizer=memcheck | --sanitizer=racecheck | --sanitizer=initcheck | --sanitizer=synccheck)
      sanitizer=${argument#*=} ;;
    --filter=*) filter=${argument#*=} ;;
    --time_limit=*) limit=${argument#*=} ;;
    --logs=*) logs=${argument#*=} ;;
    --list) list=1 ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "run_gpu_tests.sh: unknown argument $argument" >&2; usage >&2; exit 2 ;;
    *) names+=("$argument") ;;
  esac
done

. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

is_wanted() {
  local name
  [ ${#names[@]} -gt 0 ] || return 0
  for name in "${names[@]}"; do [[ $1 != *"$name"* ]] || return 0; done
  return 1
}
tests=()
while IFS= read -r command; do
  ! is_wanted "${command%% *}" || tests+=("$command")
done <"$bundle/tests.txt"
[ ${#tests[@]} -gt 0 ] || { echo "run_gpu_tests.sh: no test has ${names[*]} in its path" >&2; exit 2; }
if [ -n "$list" ]; then printf '%s\n' "${tests[@]}"; exit 0; fi

run "$bundle/bin/bitgate" version --device="$device"
problem=$(device_problem "$device")
if [ -n "$problem" ]; then
  for command in "${tests[@]}"; do echo "SKIPPED  ${command%% *}  no GPU: $problem"; done
  echo "0 passed, 0 failed, ${#tests[@]} skipped"
  exit 3
fi

checker=()
if [ -n "$sanitizer" ]; then
  program=$(command -v compute-sanitizer || echo "${CUDA_PATH:-/usr/local/cuda}/bin/compute-sanitizer")
  [ -x "$program" ] || { echo "run_gpu_tests.sh: expected compute-sanitizer in PATH, CUDA_PATH or /usr/local/cuda" >&2; exit 2; }
  checker=("$program" --tool="$sanitizer" --error-exitcode=86 --print-limit=20)
  # Calls of CUDA that fail are checked by the library itself, and some tests make them fail.
  [ "$sanitizer" != memcheck ] || checker+=(--report-api-errors=no)
fi
[ -n "$limit" ] || limit=$([ -n "$sanitizer" ] && echo 3000 || echo 300)
[ -n "$logs" ] || logs=$(mktemp -d "${TMPDIR:-/tmp}/bitgate-gpu-tests.XXXXXX")
mkdir -p "$logs" && logs=$(cd "$logs" && pwd) || exit 2
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# "passed failed skipped" of a log: lines of GoogleTest, of tests in C, of the replay of golden files, of tests in Python.
count() {
  awk '
    /^\[       OK \] / || /^(ok    |OK     ) / { passed++ }
    /^\[  FAILED  \] .* \([0-9]+ ms\)$/ || /^FAILED / { failed++ }
    /^\[  SKIPPED \] .* \([0-9]+ ms\)$/ || /^SKIPPED/ { skipped++ }
    / \.\.\. ok$/ { passed++ }
    / \.\.\. (FAIL|ERROR)$/ { failed++ }
    / \.\.\. (skipped|SKIPPED)/ { skipped++ }
    END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

all_passed=0 all_failed=0 all_skipped=0
run_test() {
  local name=${1%% *} words log status passed failed skipped begin=$SECONDS verdict=PASSED reason=''
  read -ra words <<<"$1"
  if [[ $name == *.py ]]; then
    words=("$python" "${words[@]}")
    [ -z "$sanitizer" ] || reason="not run under a sanitizer"
    "$python" -c 'import numpy' 2>/dev/null || reason="needs NumPy for $python"
    if [ -n "$reason" ]; then
      echo "SKIPPED  $name  $reason"
      all_skipped=$((all_skipped + 1))
      return
    fi
  fi
  log=$logs/${name//\//.}
  [ ${#checker[@]} -eq 0 ] || words=("${checker[@]}" --log-file="$log.$sanitizer" "${words[@]}")
  mkdir -p "$temporary/test"
  (
    cd "$bundle/tests" || exit 1
    export BITGATE_TEST_DEVICE=$device TEST_TMPDIR=$temporary/test
    [ -z "$filter" ] || export GTEST_FILTER=$filter
    run timeout --kill-after=20 "$limit" "${words[@]}"
  ) >"$log" 2>&1
  status=$?
  rm -rf "$temporary/test"
  read -r passed failed skipped <<<"$(count "$log")"
  case $status in
    0) ;;
    86) if [ -n "$sanitizer" ]; then failed=$((failed + 1)) reason=", $sanitizer found errors"; fi ;;
    124 | 137) failed=$((failed + 1)) reason=", stopped after $limit s" ;;
    *) if [ "$status" -ge 126 ]; then failed=$((failed + 1)) reason=", ended with status $status"; fi ;;
  esac
  # A test that says nothing of its cases counts as one.
  if [ $status -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1 reason=", ended with status $status"; fi
  if [ $status -eq 0 ] && [ $((passed + failed + skipped)) -eq 0 ]; then passed=1; fi
  [ "$failed" -eq 0 ] || verdict=FAILED
  printf '%-7s  %-50s %3d passed, %d failed, %d skipped, %d s%s\n' "$verdict" "$name" "$passed" "$failed" "$skipped" \
    $((SECONDS - begin)) "$reason"
  [ -z "$sanitizer" ] || grep -h 'SUMMARY\|Sanitizer error\|Error: ' "$log.$sanitizer" 2>/dev/null | sed 's/^/           /'
  if [ "$failed" -gt 0 ]; then
    grep -E '^\[  FAILED  \] .* \([0-9]+ ms\)$|^FAILED ' "$log" | sed 's/^/           /'
    if [ $status -ge 124 ] || [ "$passed" -eq 0 ]; then tail -n 5 "$log" | sed 's/^/         | /'; fi
    [ $status -ne 86 ] || head -n 40 "$log.$sanitizer" | sed 's/^/         | /'
  fi
  all_passed=$((all_passed + passed)) all_failed=$((all_failed + failed)) all_skipped=$((all_skipped + skipped))
}

for command in "${tests[@]}"; do run_test "$command"; done
echo "what they printed is in $logs"
echo "$all_passed passed, $all_failed failed, $all_skipped skipped"
[ "$all_failed" -eq 0 ]
