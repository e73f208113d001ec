# shellcheck shell=bash
# Sourced by the scripts beside it: finds what the programs of this folder need on this machine.
bundle=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}

# Folders for our programs alone, separated by colons: that the loader looks into first, and that have CUDA's libraries.
loader_folders=
cuda_folders=${BITGATE_CUDA_LIBRARIES:-}

# "$1:$2", or the one that is not empty.
join() { echo "$1${1:+${2:+:}}$2"; }

# A program of the bundle.
run() {
  env LD_LIBRARY_PATH="$(join "$loader_folders" "${LD_LIBRARY_PATH:-}")" BITGATE_CUDA_LIBRARIES="$cuda_folders" "$@"
}

# Whether the loader will find the file, or our programs where they look.
is_found() {
  local folder folders
  IFS=: read -ra folders <<<"$cuda_folders:${LD_LIBRARY_PATH:-}:${CUDA_PATH:-}/lib64:/usr/local/cuda/lib64"
  for folder in "${folders[@]}"; do
    [ -z "$folder" ] || [ ! -e "$folder/$1" ] || return 0
  done
  grep -q "[[:space:]]$1 " <<<"$(PATH=$PATH:/sbin ldconfig -p 2>/dev/null)"
}

# The folders of NVIDIA's libraries in the packages of a Python, as PyTorch brings them.
python_folders() {
  "$python" - 2>/dev/null <<'END'
import glob, os, nvidia
print(":".join(sorted(folder for place in nvidia.__path__ for folder in glob.glob(os.path.join(place, "*", "lib")))))
END
}

find_cuda_libraries() {
  local file folders missing=''
  for file in libcudnn.so.9 libcublasLt.so.13; do is_found "$file" || missing+=" $file"; done
  [ -n "$missing" ] || return 0
  folders=$(python_folders) || folders=
  cuda_folders=$(join "$cuda_folders" "$folders")
  loader_folders=$folders  # for the libraries that they open in turn
  for file in $missing; do
    is_found "$file" || echo "$file: not where the loader looks, nor in a package of $python; name its folder in" \
      "LD_LIBRARY_PATH or BITGATE_CUDA_LIBRARIES"
  done
}

# The C++ library is the machine's, unless that one is older than our programs want.
choose_cpp_library() {
  run "$bundle/bin/bitgate" version >/dev/null 2>&1 && return
  loader_folders=$(join "$bundle/lib/fallback" "$loader_folders")
  run "$bundle/bin/bitgate" version >/dev/null || exit 1
}

# Why the device cannot be used; nothing where it can.
device_problem() {
  run "$bundle/bin/bitgate" version --device="$1" --json | sed -n 's/.*"device_error":"\(\([^"\\]\|\\.\)*\)".*/\1/p'
}

find_cuda_libraries
choose_cpp_library
