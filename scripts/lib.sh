# shellcheck shell=bash
# What the scripts beside this file share; sourced, never run. Puts the caller at the
# repository's root.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

# Prints the header comment of the script that sourced this file.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "scripts/${0##*/}"; }

say() { echo "${0##*/}: $*" >&2; }
die() { say "$@"; exit 2; }

# The one version of this kit: the workspace's.
kit_version() { sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml; }

host_arch() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) die "this machine's $(uname -m) is none of amd64, arm64" ;;
  esac
}

# Runs a command as root: as it is, or by sudo where that asks no password.
as_root() {
  if [[ $(id -u) = 0 ]]; then "$@"; else sudo -n "$@"; fi
}
can_be_root() { [[ $(id -u) = 0 ]] || sudo -n true 2>/dev/null; }

# apt_install PACKAGE...: installs Debian packages, or fails where there is no apt or no root.
apt_install() {
  command -v apt-get >/dev/null && can_be_root || return 1
  as_root env DEBIAN_FRONTEND=noninteractive sh -c \
    'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' apt "$@" >/dev/null
}

# python_with NAME PACKAGE==VERSION: prints a Python that has the package, from a virtual
# environment under target/ that the first call makes.
python_with() {
  local venv=$PWD/target/tools/$1
  if [[ ! -f $venv/$2 ]]; then
    { python3 -m venv --clear "$venv" && "$venv/bin/pip" install -q --only-binary :all: "$2"; } >&2 || return 1
    touch "$venv/$2"
  fi
  echo "$venv/bin/python3"
}

# copy_program PROGRAM FOLDER NAME: puts a program into an image's root as NAME, with what it is linked with.
copy_program() {
  install -D -m 755 "$1" "$2/$3"
  # A static program has no list of libraries, which is no failure.
  { ldd "$1" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } | xargs -r cp --dereference --parents --target-directory "$2"
}
