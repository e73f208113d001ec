#!/usr/bin/env bash
# Installs what Bitgate is built from: Debian packages (as root or with sudo), the sources of one of them in
# .cache/sources, and pinned Python packages in .venv.
# Does only what is missing, so it is cheap to run again; tools/test.sh and tools/quickstart.sh call it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(
  # Build
  bazel-bootstrap bazel-rules-java bazel-rules-proto bazel-skylib g++ binutils git ca-certificates pkg-config dpkg-dev
  # Libraries
  libabsl-dev protobuf-compiler libdnnl-dev ocl-icd-opencl-dev libhwy-dev libonnx-dev zlib1g-dev
  nlohmann-json3-dev
  # Reference
  doxygen
  # Tests, Python, format
  libgtest-dev libgmock-dev libbenchmark-dev pybind11-dev python3-dev python3-venv clang-format cmake libprotobuf-dev
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

# The machine's entries for Debian itself, in apt's two formats, as entries for source packages, in the folder $1. Other
# vendors' entries are left out: they have suites or keys of their own.
write_source_entries() {
  local suites one_line=() stanzas=() file
  suites=$(. /etc/os-release && echo "^($VERSION_CODENAME|stable|oldstable)(-updates|-security)?\$")
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do [ ! -e "$file" ] || one_line+=("$file"); done
  for file in /etc/apt/sources.list.d/*.sources; do [ ! -e "$file" ] || stanzas+=("$file"); done

  # deb [options] URI suite component...
  [ ${#one_line[@]} -eq 0 ] || awk -v suites="$suites" '
    /^[ \t]*deb[ \t]/ && (!/signed-by=/ || /signed-by=[^] \t]*debian-archive/) {
      options = match($0, /\[[^]]*\]/) ? substr($0, RSTART, RLENGTH) : ""
      sub(/\[[^]]*\]/, " ")
      sub(/#.*/, "")
      if ($3 ~ suites && /[ \t]main([ \t]|$)/) print "deb-src", options, $2, $3, "main"
    }' "${one_line[@]}" >"$1/debian.list"

  # Stanzas of "Key: value" lines. A blank line ends a stanza, and so does the end of a file.
  for file in "${stanzas[@]}"; do cat "$file" && echo; done | awk -v suites="$suites" '
    BEGIN { RS = ""; FS = "\n" }
    {
      gsub(/(^|\n)#[^\n]*/, "")
      gsub(/\n[ \t]+/, " ")
      types = names = components = rest = ""
      ours = 1
      for (i = 1; i <= NF; i++) {
        name = tolower(substr($i, 1, index($i, ":") - 1))
        value = substr($i, index($i, ":") + 1)
        if (name == "types") types = value
        else if (name == "suites") names = value
        else if (name == "components") components = value
        else {
          if (name == "enabled" && value ~ /no|false|0/) ours = 0
          if (name == "signed-by" && value !~ /debian-archive/) ours = 0
          if (name != "") rest = rest $i "\n"
        }
      }
      count = split(names, list, /[ \t]+/)
      names = ""
      for (i = 1; i <= count; i++) if (list[i] ~ suites) names = names " " list[i]
      if (ours && names != "" && types ~ /(^|[ \t])deb([ \t]|$)/ && components ~ /(^|[ \t])main([ \t]|$)/)
        print "Types: deb-src\nSuites:" names "\nComponents: main\n" rest
    }' >"$1/debian.sources"
  cat "$1"/debian.* | grep -q .
}

# Unpacks the sources of the installed package $1, with Debian's patches, in .cache/sources/NAME. For what is linked into
# our own shared libraries: Debian's static archives are not position-independent. The machine's apt configuration stays
# as it is, and root is not needed.
fetch_sources() {
  local name version folder new log apt found wanted=
  name=$(dpkg-query -W -f='${source:Package}' "$1")
  version=$(dpkg-query -W -f='${source:Version}' "$1")
  folder=.cache/sources/$name
  if [ "$(cat "$folder/debian-version" 2>/dev/null)" = "$version" ]; then
    say "Sources: $name $version is there"
    return
  fi
  say "Sources: unpacking $name $version in $folder"
  rm -rf .cache/sources/new
  new=$PWD/.cache/sources/new
  mkdir -p "$new"/{entries,lists/partial,cache/archives/partial}
  if ! write_source_entries "$new/entries"; then
    rm -rf "$new"
    say "expected an entry for Debian's main in /etc/apt/sources.list or /etc/apt/sources.list.d, found none" >&2
    exit 1
  fi
  apt=(-q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$new/entries" -o "Dir::State::Lists=$new/lists"
    -o "Dir::Cache=$new/cache" -o APT::Sandbox::User=root)
  log=$(mktemp)
  apt-get "${apt[@]}" update >"$log" 2>&1 || true
  # The same version, or another revision of it by Debian: what must agree is upstream's.
  for found in $(apt-cache "${apt[@]}" showsrc --only-source "$name" 2>>"$log" | sed -n 's/^Version: //p'); do
    if [ "$found" = "$version" ]; then wanted=$found && break; fi
    if [ "${found%-*}" = "${version%-*}" ]; then wanted=$found; fi
  done
  if ! { [ -n "$wanted" ] && (cd "$new" && apt-get "${apt[@]}" source --only-source "$name=$wanted") >>"$log" 2>&1; }; then
    rm -rf "$new"
    tail -n 30 "$log" >&2
    say "expected Debian's sources of $name ${version%-*}, got ${wanted:-none}; apt-get's whole output is in $log" >&2
    exit 1
  fi
  rm -rf "$folder"
  echo "$version" >"$(echo "$new/$name"-*/)debian-version"
  mv "$new/$name"-*/ "$folder"
  rm -rf "$new" "$log"
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
fetch_sources protobuf-compiler
install_python_packages
