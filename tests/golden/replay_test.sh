#!/usr/bin/env bash
# All vectors agree; a vector with one changed value does not, nor one of an unknown kind; a folder without vectors is
# an error.
set -euo pipefail
replay=$1
vectors=$(dirname "$0")/vectors
"$replay" --golden_dir="$vectors"

changed=$TEST_TMPDIR/changed
mkdir -p "$changed"
cp -L "$vectors/bb_eval_weight_4bit.safetensors" "$changed/"
chmod u+w "$changed"/*
# The first float of y, which begins 9280 bytes before the end.
printf '\x00\x00\x40\x40' | dd of="$changed/bb_eval_weight_4bit.safetensors" bs=1 conv=notrunc status=none \
  seek=$(($(stat -c %s "$changed/bb_eval_weight_4bit.safetensors") - 9280))
cp -L "$vectors/bb_eval_weight_4bit.safetensors" "$changed/bb_eval_cut.safetensors"
chmod u+w "$changed"/*
truncate -s 4000 "$changed/bb_eval_cut.safetensors"
if "$replay" --golden_dir="$changed"; then
  echo "expected damaged vectors to fail"
  exit 1
fi
mkdir -p "$TEST_TMPDIR/unknown"
cp -L "$vectors/bb_eval_weight_4bit.safetensors" "$vectors/bb_eval_act_4bit.safetensors" "$TEST_TMPDIR/unknown/"
mv "$TEST_TMPDIR/unknown/bb_eval_act_4bit.safetensors" "$TEST_TMPDIR/unknown/another.safetensors"
if "$replay" --golden_dir="$TEST_TMPDIR/unknown"; then
  echo "expected a vector of an unknown kind to fail"
  exit 1
fi
mkdir -p "$TEST_TMPDIR/empty"
if "$replay" --golden_dir="$TEST_TMPDIR/empty"; then
  echo "expected an empty folder to fail"
  exit 1
fi
