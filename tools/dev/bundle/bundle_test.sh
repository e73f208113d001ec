#!/usr/bin/env bash
# The bundle as its user has it: unpacked at a random place. Where there is no GPU everything says so, and nothing
# crashes; where there is one, or an emulated one, some tests really run.
#
#   bundle_test.sh FOLDER PYTHON   the one with the one archive in it, the other with NumPy
set -uo pipefail
unset XML_OUTPUT_FILE  # this test's own report: the programs that it runs shall not write theirs there

fail() { echo "bundle_test: $*"; exit 1; }

archives=("$1"/*.tar.xz)
if [ ${#archives[@]} -ne 1 ] || [ ! -f "${archives[0]}" ]; then fail "expected one archive, got ${archives[*]}"; fi
python=$(realpath "$2")
bytes=$(stat -Lc %s "${archives[0]}")
echo "${archives[0]##*/}: $bytes bytes"
[ "$bytes" -lt 40000000 ] || fail "expected less than 40 MB"

place=$(mktemp -d "$TEST_TMPDIR/some where.XXXXXX")
tar -xf "${archives[0]}" -C "$place" || fail "the archive does not unpack"
bundle=$(echo "$place"/*/)
bundle=${bundle%/}
du -sh "$bundle"
# Not the libraries of the build.
unset LD_LIBRARY_PATH
cd /

"$bundle/bin/bitgate" version || fail "bitgate version"
for file in "$bundle"/bin/* $(cut -d' ' -f1 "$bundle/tests.txt" | sed "s|^|tests/|"); do
  [ "${file#/}" != "$file" ] || file=$bundle/$file
  outside=$(ldd "$file" | grep '=> /' | grep -v "$bundle" | grep -Ev 'lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so' || true)
  [ -z "$outside" ] || fail "$file: expected to need nothing else of the machine, got $outside"
  ! ldd "$file" | grep 'not found' || fail "$file lacks a library"
done

"$bundle/run_gpu_tests.sh" --list | grep -qx ops/reduce/reduce_test || fail "--list"
"$bundle/run_gpu_tests.sh" --unknown >/dev/null 2>&1
[ $? -eq 2 ] || fail "expected status 2 for an unknown argument"
output=$(PYTHON=$python "$bundle/run_gpu_tests.sh" ops/elementwise ops/op_list golden/replay e2e 2>&1)
status=$?
echo "$output"
last=${output##*$'\n'}
"$bundle/bin/bench" --smoke --device=cuda:0
bench=$?
if [ $status -eq 3 ]; then
  echo "SKIPPED: running on a GPU, for there is none"
  [[ $last =~ ^0\ passed,\ 0\ failed,\ [0-9]+\ skipped$ ]] || fail "expected to skip all"
  grep -q '^SKIPPED  ops/op_list_test  no GPU: ' <<<"$output" || fail "expected a line for each test"
  [ $bench -eq 1 ] || fail "expected bench to end with status 1, got $bench"
  cd "$bundle/tests" || fail "no folder of tests"
  BITGATE_TEST_DEVICE=cuda:0 ops/elementwise/elementwise_test >"$place/log" 2>&1
  [ $? -eq 1 ] || fail "expected a test without a GPU to fail, and not to crash"
  grep -q 'expected a GPU' "$place/log" || fail "expected a message about the GPU"
else
  [ $status -eq 0 ] || fail "expected status 0 or 3, got $status"
  [[ $last =~ ^[1-9][0-9]*\ passed,\ 0\ failed,\ [0-9]+\ skipped$ ]] || fail "expected tests to pass"
  [ $bench -eq 0 ] || fail "expected bench to run"
fi
cd /
"$bundle/train_mnist.sh" >/dev/null 2>&1
[ $? -eq 2 ] || fail "expected status 2 without a folder of data"

# 16 images of noise, in the format of MNIST.
data=$place/data
mkdir "$data"
for part in train t10k; do
  { printf '\0\0\10\3\0\0\0\20\0\0\0\34\0\0\0\34'; head -c $((16 * 28 * 28)) /dev/urandom; } >"$data/$part-images-idx3-ubyte"
  printf '\0\0\10\1\0\0\0\20\0\1\2\3\4\5\6\7\10\11\0\1\2\3\4\5' >"$data/$part-labels-idx1-ubyte"
done
output=$("$bundle/train_mnist.sh" "$data" "$place/out" --epochs=1 2>&1)
trained=$?
echo "$output"
if [ $status -eq 3 ]; then
  grep -q 'expected a GPU' <<<"$output" || fail "expected a message about the GPU"
else
  [ $trained -eq 0 ] || fail "expected training to end with status 0, got $trained"
  for line in "test accuracy  [0-9.]* %, frozen" "relative BOPs  [0-9.]* %" "wall time  .* for 1 epochs"; do
    grep -q "^$line" <<<"$output" || fail "expected a line $line"
  done
fi
rm -rf "$place"
