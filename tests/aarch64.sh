#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# aarch64.sh [-k] [FLOOR...]: compiles tests for 64-bit ARM (NEON) with Debian's cross compiler and runs them under emulation (qemu-user).
# FLOOR: folders of tests/, default: simd kernels ops layers models. Serial (without oneTBB), because only headers are shared with the host.
# With -k objects are kept in build/aarch64 and compiled again only when asked to by deleting them.
# Takes about half an hour on two cores; figures of the last run are in docs/results.
set -euo pipefail
cd "$(dirname "$0")/.."
keep=
if [ "${1:-}" = -k ]; then keep=1; shift; fi
if [ "${1:-}" = --help ]; then sed -n '3,6s/^# //p' "$0"; exit 0; fi
floors=("$@")
[ ${#floors[@]} -gt 0 ] || floors=(simd kernels ops layers models)

compiler=aarch64-linux-gnu-g++ emulator=qemu-aarch64
for program in "$compiler" "$emulator"; do
  command -v "$program" > /dev/null || { echo "aarch64.sh: $program is missing (Debian: g++-aarch64-linux-gnu, qemu-user)" >&2; exit 1; }
done
out=build/aarch64
[ -n "$keep" ] || rm -rf "$out"
mkdir -p "$out/include"
for package in xsimd catch2 nlohmann; do  # the host's other headers are not for this processor
  ln -sfn "/usr/include/$package" "$out/include/$package"
done

compile() {  # compile SOURCE: to an object, unless it is there
  local object
  object=$out/$(tr / _ <<< "${1#tests/}").o
  [ -e "$object" ] || "$compiler" -std=c++20 -O1 -DNDEBUG -DMINIVIT_NO_TBB -DMINIVIT_TEST_FIXTURES="\"$PWD/tests/fixtures\"" -Wall -Wextra -Wconversion -Wshadow \
    -Wno-restrict -Wno-stringop-overflow -Wno-maybe-uninitialized -Werror -Iinclude -Itests -isystem "$out/include" -c "$1" -o "$object"
}
export -f compile
export out compiler

sources=(tests/catch_main.cpp)
for floor in "${floors[@]}"; do
  for source in tests/"$floor"/*_test.cpp; do
    [ -e "$source" ] || { echo "aarch64.sh: there are no tests in tests/$floor" >&2; exit 2; }
    sources+=("$source")
  done
done
printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -I{} bash -ec 'compile {}'
for floor in "${floors[@]}"; do
  "$compiler" "$out"/catch_main.cpp.o "$out/${floor}_"*_test.cpp.o -o "$out/test_$floor" -pthread
  echo "== $floor"
  "$emulator" -L /usr/aarch64-linux-gnu "$out/test_$floor"
done
