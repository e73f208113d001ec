# Sourced by the scripts beside it: finds what the programs of this folder need on this machine.
bundle=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}

# Folders for the loader, of our programs alone.
loader_folders=
cuda_folders=

# A program of the bundle.
run() {
  env LD_LIBRARY_PATH="$loader_folders${LD_LIBRARY_PATH:-}" \
    BITGATE_CUDA_LIBRARIES="${BITGATE_CUDA_LIBRARIES:-}$cuda_folders" "$@"
}

# Whether the loader will find the file, or our programs where they look.
is_found() {
  local folder folders
  IFS=: read -ra folders <<<"${BITGATE_CUDA_LIBRARIES:-}:${LD_LIBRARY_PATH:-}:${CUDA_PATH:-}/lib64:/usr/local/cuda/lib64"
  for folder in "${folders[@]}"; do
    [ -z "$folder" ] || [ ! -e "$folder/$1" ] || return 0
  done
  { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep -q "[[:space:]]$1 "
}

# The folders of NVIDIA's libraries in the packages of a Python, as PyTorch brings them.
python_folders() {
  "$python" - 2>/dev/null <<'END'
import glob, os, nvidia
print(":".join(sorted(folder for place in nvidia.__path__ for folder in glob.glob(os.path.join(place, "*", "lib")))))
END
}

find_cuda_libraries() {
  local file folders
  for file in libcudnn.so.9 libcublasLt.so.13; do
    is_found "$file" && continue
    folders=$(python_folders)
    if [ -n "$folders" ]; then
      # For the libraries that they open in turn as well.
      cuda_folders=:$folders
      loader_folders=$folders:
    fi
    LD_LIBRARY_PATH=$loader_folders${LD_LIBRARY_PATH:-} is_found "$file" ||
      echo "$file is neither where the loader looks nor in a package of $python; BITGATE_CUDA_LIBRARIES may name its folder"
  done
}

# The C++ library is the machine's, unless that one is older than our programs want.
choose_cpp_library() {
  run "$bundle/bin/bitgate" version >/dev/null 2>&1 && return
  loader_folders=$bundle/lib/fallback:$loader_folders
  run "$bundle/bin/bitgate" version >/dev/null || exit 1
}

# Why the device cannot be used; nothing where it can.
device_problem() {
  run "$bundle/bin/bitgate" version --device="$1" --json | sed -n 's/.*"device_error":"\(\([^"\\]\|\\.\)*\)".*/\1/p'
}

find_cuda_libraries
choose_cpp_library
