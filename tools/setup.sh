#!/usr/bin/env bash
# Installs what Bitgate is built from: Debian packages (as root or with sudo) and pinned Python packages in .venv.
# Does only what is missing, so it is cheap to run again; tools/test.sh and tools/quickstart.sh call it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(
  # Build
  bazel-bootstrap bazel-rules-java bazel-rules-proto bazel-skylib g++ binutils git ca-certificates pkg-config
  # Libraries
  libabsl-dev libprotobuf-dev protobuf-compiler libdnnl-dev ocl-icd-opencl-dev libhwy-dev libonnx-dev zlib1g-dev
  nlohmann-json3-dev
  # Tests, Python, format
  libgtest-dev libgmock-dev libbenchmark-dev pybind11-dev python3-dev python3-venv clang-format
  # Data: Fashion-MNIST in /usr/share/datasets/fashion-mnist
  dataset-fashion-mnist
)

say() { echo "setup: $*"; }

installed() { dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

install_debian_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    say "Debian packages: all ${#packages[@]} are there"
    return
  fi
  command -v apt-get >/dev/null || { say "expected Debian 12 with apt-get, found none; install: ${missing[*]}" >&2; exit 1; }
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "expected root or sudo, to install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  say "Debian packages: installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-upgrade --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    say "apt-get failed; its whole output is in $log" >&2
    exit 1
  fi
  rm -f "$log"
}

install_python_packages() {
  local stamp=.venv/requirements.txt
  if [ -x .venv/bin/python3 ] && cmp -s tools/requirements.txt "$stamp"; then
    say "Python packages: .venv is up to date"
    return
  fi
  say "Python packages: installing tools/requirements.txt into .venv"
  /usr/bin/python3 -m venv .venv
  .venv/bin/python3 -m pip install -q --disable-pip-version-check --no-deps -r tools/requirements.txt
  cp tools/requirements.txt "$stamp"
}

install_debian_packages
install_python_packages
