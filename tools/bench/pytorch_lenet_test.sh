#!/usr/bin/env bash
# PyTorch's step is measured where there is PyTorch, and skipped, visibly, where there is none.
set -euo pipefail
output=$(/usr/bin/env python3 "$1" --smoke --device=cpu)
echo "$output"
grep -Eq '^SKIPPED: |^\{"pytorch": .*"eager": ' <<<"$output"
