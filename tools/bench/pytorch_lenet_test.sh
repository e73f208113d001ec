#!/usr/bin/env bash
# PyTorch's step is measured where there is PyTorch, and skipped, visibly, where there is none.
set -euo pipefail
output=$(/usr/bin/env python3 "$1" --smoke --device=cpu --ours=0.5)
echo "$output"
! grep -q '^SKIPPED: ' <<<"$output" || exit 0
grep -Eq '^\{"pytorch": .*"eager": ' <<<"$output"
grep -Eq "^LeNet-5 float step, replayed +0\.500  PyTorch's, eager +[0-9.]+ +[0-9.]+$" <<<"$output"
