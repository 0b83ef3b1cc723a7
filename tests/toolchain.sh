#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# toolchain.sh [OPTION...] [FLOOR...]: compiles tests with another compiler, other packages or for another processor, and runs them; without
# CMake. FLOOR: folders of tests/ (default: all).
#   --compiler NAME   such as clang++-16 (default: g++)
#   --level FLAGS     such as -O0 or '-O3 -march=native' (default: -O1)
#   --serial          without oneTBB
#   --xsimd FOLDER    another xsimd: the folder in which xsimd/xsimd.hpp lies
#   --catch2 FOLDER   Catch2 3: the folder in which catch_amalgamated.hpp and .cpp lie
#   --aarch64         64-bit ARM (NEON) by Debian's cross compiler under emulation (g++-aarch64-linux-gnu, qemu-user); serial; default floors:
#                     simd kernels ops layers models
#   --keep            objects of an earlier run with the same options are used again
# Takes from minutes to an hour. What was run last, and with which result: docs/results/reliability.md
set -euo pipefail
cd "$(dirname "$0")/.."
compiler=g++ level=-O1 serial= xsimd= catch2= aarch64= keep=
while [[ ${1:-} == --* ]]; do
  case $1 in
    --compiler | --level | --xsimd | --catch2) [ $# -ge 2 ] || { echo "toolchain.sh: $1 needs a value" >&2; exit 2; }; declare "${1#--}=$2"; shift 2 ;;
    --serial | --aarch64 | --keep) declare "${1#--}=1"; shift ;;
    --help) sed -n '3,14s/^# //p' "$0"; exit 0 ;;
    *) sed -n '3,14s/^# //p' "$0" >&2; exit 2 ;;
  esac
done
floors=("$@") run=()
if [ -n "$aarch64" ]; then
  compiler=aarch64-linux-gnu-g++ serial=1 run=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
  [ ${#floors[@]} -gt 0 ] || floors=(simd kernels ops layers models)
fi
[ ${#floors[@]} -gt 0 ] || floors=(core simd kernels ops layers models train io data run analysis)
for program in "$compiler" "${run[@]:0:1}"; do
  command -v "$program" > /dev/null || { echo "toolchain.sh: $program is missing" >&2; exit 1; }
done

out=build/toolchain/$(printf '%s' "$compiler $level $serial $xsimd $catch2" | md5sum | cut -c1-8)
[ -n "$keep" ] || rm -rf "$out"
mkdir -p "$out/include"
read -ra flags <<< "$level"
flags+=(-std=c++20 -Wall -Wextra -Wconversion -Wshadow -Werror)
[[ $compiler == *clang* ]] || flags+=(-Wno-restrict -Wno-stringop-overflow -Wno-maybe-uninitialized)  # as CMake does: false alarms of g++ 12
libraries=(-pthread)
if [ -n "$serial" ]; then flags+=(-DMINIVIT_NO_TBB); else libraries+=(-ltbb); fi
main=tests/catch_main.cpp
if [ -n "$aarch64" ]; then  # the host's other headers are not for this processor
  for package in xsimd catch2 nlohmann; do ln -sfn "/usr/include/$package" "$out/include/$package"; done
else
  flags+=(-DMINIVIT_WITH_LIBJPEG -DMINIVIT_WITH_LIBPNG)
  libraries+=(-ljpeg -lpng)
fi
[ -z "$xsimd" ] || ln -sfn "$(realpath "$xsimd")/xsimd" "$out/include/xsimd"
if [ -n "$catch2" ]; then
  rm -rf "$out/include/catch2"
  mkdir -p "$out/include/catch2"
  printf '#include "%s"\n' "$(realpath "$catch2")/catch_amalgamated.hpp" > "$out/include/catch2/catch_all.hpp"
  main=$catch2/catch_amalgamated.cpp
fi

compile() {  # compile SOURCE: to an object, unless it is there
  local object=$out/${1//\//_}.o
  [ -e "$object" ] || "$compiler" "${flags[@]}" -Iinclude -Itests -isystem "$out/include" -c "$1" -o "$object"
}

echo "toolchain.sh: $("$compiler" --version | head -1), $level${serial:+, without oneTBB}${xsimd:+, xsimd of $xsimd}${catch2:+, Catch2 of $catch2}"
[ -e "$out/main.o" ] || "$compiler" "${flags[@]}" -w -isystem "$out/include" -c "$main" -o "$out/main.o"
"$compiler" "${flags[@]}" -DMINIVIT_TEST_FIXTURES="\"$PWD/tests/fixtures\"" -c tests/fixtures.cpp -o "$out/fixtures.o"
failed=0 broken=0
for floor in "${floors[@]}"; do
  sources=(tests/"$floor"/*_test.cpp) objects=()
  [ -e "${sources[0]}" ] || { echo "toolchain.sh: there are no tests in tests/$floor" >&2; exit 2; }
  for source in "${sources[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || broken=1; done
    compile "$source" &
    objects+=("$out/${source//\//_}.o")
  done
  for job in $(jobs -p); do wait "$job" || broken=1; done
  [ "$broken" -eq 0 ] || { echo "toolchain.sh: $floor does not compile" >&2; exit 1; }
  "$compiler" "$out/main.o" "$out/fixtures.o" "${objects[@]}" -o "$out/test_$floor" "${libraries[@]}"
  if summary=$("${run[@]}" "$out/test_$floor" 2>&1); then
    echo "$floor: $(tail -2 <<< "$summary" | grep -o 'All tests.*\|[0-9]* assert.*')"
  else
    tail -40 <<< "$summary"
    echo "$floor: FAILED"
    failed=1
  fi
done
exit "$failed"
