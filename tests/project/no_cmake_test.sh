#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# no_cmake_test.sh <cmake> <build folder> <installed prefix> <compiler>: minivit in programs that are not built by CMake.
set -euo pipefail
cmake=$1 build=$2 prefix=$3 compiler=$4
here=$(cd "$(dirname "$0")/../consumer" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "no_cmake_test: $*" >&2; exit 1; }

# The single header: two sources with different instruction sets in one program, no warnings.
"$cmake" --build "$build" --target single_header > "$work/single.log" || fail "$(cat "$work/single.log")"
! grep -n 'include <minivit' "$build/single_header/minivit/minivit.hpp" || fail "the single header includes another one"
machines=(-march=x86-64 -march=x86-64-v3)
[ "$(uname -m)" = x86_64 ] || machines=("" "")
for part in 0 1; do
  # shellcheck disable=SC2086
  "$compiler" -std=c++20 -O1 ${machines[part]} -Wall -Wextra -Wconversion -Wshadow -Wno-restrict -Wno-stringop-overflow -Wno-maybe-uninitialized -Werror \
    -DPART=$part -I"$build/single_header" -c "$here/single.cpp" -o "$work/$part.o"
done
tbb=()
grep -q 'MINIVIT_NO_TBB:BOOL=ON' "$build/CMakeCache.txt" || tbb=(-ltbb)
"$compiler" "$work/0.o" "$work/1.o" -o "$work/single" "${tbb[@]}" -pthread
if [ "$(uname -m)" != x86_64 ] || grep -qw -m1 avx2 /proc/cpuinfo; then "$work/single" || fail "the two sources disagree"; fi

# pkg-config, with the installed headers.
if ! command -v pkg-config > /dev/null; then
  echo "no_cmake_test: no pkg-config here, only the single header was tried"
  exit 0
fi
export PKG_CONFIG_PATH=$prefix/share/pkgconfig
# shellcheck disable=SC2046
"$compiler" -std=c++20 -O1 $(pkg-config --cflags minivit) "$here/main.cpp" -o "$work/installed" $(pkg-config --libs minivit)
"$work/installed"
[ "$(pkg-config --modversion minivit)" = "$("$work/installed" | sed 's/^minivit \([0-9.]*\) .*/\1/')" ] || fail "minivit.pc and the headers are of different versions"
