#!/bin/sh
# Installs what is missing: `setup.sh run|test|check|all`.
#
#   run    to build mpl and use its prompt
#   test   and to run what tests
#   check  to run the static checks
#
# Looks for the things themselves, not for packages, so that nothing happens, and no network or
# password is needed, where they came from elsewhere. As root it installs by itself, otherwise
# through sudo. Without apt it says what to install, and fails.
set -eu

what=${1:?usage: setup.sh run|test|check|all}
missing=

# need PACKAGE COMMAND...: PACKAGE is missing unless COMMAND succeeds.
need() {
  package=$1
  shift
  "$@" >/dev/null 2>&1 || missing="$missing $package"
}

have_command() { command -v "$1"; }
have_file() { test -e "$1"; }

# The compiler prints the full path of a library that it finds, and the bare name of any other.
have_library() {
  case $(${CC:-gcc} -print-file-name="$1" 2>/dev/null) in
    */*) true ;;
    *) false ;;
  esac
}

# have_module NAME PATH: Lua 5.4 finds a module on package.path or package.cpath.
have_module() { lua5.4 -e "assert(package.searchpath('$1', package.$2))"; }
have_luaposix() { have_module posix.unistd cpath; }

need_to_run() {
  need gcc have_command "${CC:-gcc}"
  need libc6-dev have_file /usr/include/stdio.h
  need liblua5.4-dev have_library liblua5.4.a
  need libedit2 have_library libedit.so.2
}

need_to_test() {
  need_to_run
  need lua5.4 have_command lua5.4
  need lua-busted have_module busted.runner path
  need bsdutils have_command script
  need lua-posix have_luaposix
}

need_to_check() {
  need_to_run
  need lua5.4 have_command lua5.4
  need clang have_command clang
  need cppcheck have_command cppcheck
  need lua-check have_command luacheck
}

can_be_root() { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 \
    --no-install-recommends install "$@"
}

# Prints lines "ADDRESS KEYRING" for what serves the main archive of the Debian release $1 to this
# machine, whatever file and format it is configured in; KEYRING may be empty. Third parties that
# use the release's name have another origin.
debian_archives() {
  apt-get indextargets --format '$(SOURCESENTRY) $(REPO_URI)' \
    'Created-By: Packages' 'Origin: Debian' "Codename: $1" 'Component: main' | sort -u |
    while read -r entry address; do
      echo "$address $(entry_keyring "${entry%:*}" "${entry##*:}")"
    done
}

# Prints the keyring named by entry number $2 of the sources file $1: a line of a *.list file, a
# paragraph of a *.sources file.
entry_keyring() {
  case $1 in
    *.sources)
      awk -v RS= -v n="$2" 'NR == n' "$1" | sed -n 's|^[Ss]igned-[Bb]y: *\(/.*\)|\1|p' ;;
    *)
      sed -n "$2s|.*signed-by=\([^] ]*\).*|\1|p" "$1" ;;
  esac
}

# Debian 12 builds luaposix for older Luas only, and the next release's package installs there as it
# is. It is fetched through this machine's own archive and keys, with an apt state of its own.
install_luaposix_of() {
  next=$2
  state=$(mktemp -d)
  mkdir -p "$state/lists/partial" "$state/archives/partial"
  debian_archives "$1" | while read -r address keyring; do
    echo "deb ${keyring:+[signed-by=$keyring]} $address $next main"
  done >"$state/sources.list"
  set -- -qq -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state" -o APT::Sandbox::User="$(id -un)"
  status=0
  apt-get "$@" update && (cd "$state" && apt-get "$@" download lua-posix) || status=1
  if [ $status -eq 0 ]; then
    apt_install "$state"/lua-posix_*.deb || status=1
  fi
  rm -rf "$state"
  return $status
}

install_luaposix() {
  release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  case $release in
    bookworm) install_luaposix_of bookworm trixie ;;
    *) apt_install lua-posix ;;
  esac
}

install_missing() {
  plain=
  for package in $missing; do
    test "$package" = lua-posix || plain="$plain $package"
  done
  echo "setup: installing$missing" >&2
  as_root apt-get -qq update || echo "setup: going on with the package lists as they are" >&2
  # shellcheck disable=SC2086  # a list of words
  test -z "$plain" || apt_install $plain
  have_luaposix >/dev/null 2>&1 && return
  case $missing in
    *lua-posix*) install_luaposix ;;
  esac
}

find_missing() {
  missing=
  case $what in
    run) need_to_run ;;
    test) need_to_test ;;
    check) need_to_check ;;
    all) need_to_test && need_to_check ;;
    *) echo "setup: what is '$what'?" >&2 && exit 1 ;;
  esac
  missing=$(echo "$missing" | tr ' ' '\n' | sort -u | tr '\n' ' ')
  missing=${missing% }
}

find_missing
test -n "$missing" || exit 0
if ! command -v apt-get >/dev/null || ! can_be_root; then
  echo "setup: please install these (names of Debian's packages):$missing" >&2
  exit 1
fi
install_missing
find_missing
if [ -n "$missing" ]; then
  echo "setup: still missing after the installation:$missing" >&2
  exit 1
fi
