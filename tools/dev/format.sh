#!/usr/bin/env bash
# Formats all C++ and CUDA sources as .clang-format says; with --check, changes nothing, names the files that it would
# change, and fails if there are any.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

mode=${1:-}
folders=()
for folder in runtime ops models api tools tests; do
  [ ! -d "$folder" ] || folders+=("$folder")
done
status=0
while IFS= read -r -d '' file; do
  if [ "$mode" != --check ]; then
    clang-format --style=file -i "$file"
  elif ! clang-format --style=file "$file" | cmp -s - "$file"; then
    echo "format: $file differs; run tools/dev/format.sh"
    status=1
  fi
done < <(find "${folders[@]}" -type f \( -name '*.h' -o -name '*.cc' -o -name '*.c' -o -name '*.cu' -o -name '*.cuh' \) -print0)
exit $status
