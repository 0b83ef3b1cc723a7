#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh SECONDS [TARGET...]: fuzzes the readers of strangers' bytes with libFuzzer under the address and undefined-behaviour sanitizers,
# beginning with seeds.sh and the corpus. Inputs that reach new code are added to tests/fuzz/corpus/TARGET.tar,
# as few and as small as do; then all of it is read once more under clang's checks of unsigned overflow and lost bits. Needs clang 19
# (Debian: clang-19 libclang-rt-19-dev). TARGET: weights model pickle settings image lists
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ $# -lt 1 ] || [ "$1" = --help ]; then sed -n '3,7s/^# //p' "$0"; exit 2; fi
seconds=$1
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(weights model pickle settings image lists)
out=build/fuzz
mkdir -p "$out"

bash tests/fuzz/seeds.sh "$out/seeds"

build() {  # build NAME SANITIZERS...: of $target
  clang++-19 -std=c++20 -O1 -g -march=x86-64-v3 -DMINIVIT_NO_TBB "${@:2}" -fno-sanitize-recover=all -DTARGET="$target" -DTARGETS="\"$header\"" \
    -Iinclude -Itests/fuzz tests/fuzz/fuzzer.cpp -o "$out/$1" "${libraries[@]}"
}

failed=0
for target in "${targets[@]}"; do
  case $target in
    weights | model | pickle | settings) header=io_targets.hpp libraries=() ;;
    image | lists) header=data_targets.hpp libraries=(-DMINIVIT_WITH_LIBJPEG -DMINIVIT_WITH_LIBPNG -ljpeg -lpng) ;;
    *) echo "run.sh: no target '$target'" >&2; exit 2 ;;
  esac
  build "$target" -fsanitize=fuzzer,address,undefined
  corpus=$out/corpus/$target archive=tests/fuzz/corpus/$target.tar
  mkdir -p "$corpus" "$out/found/$target"
  [ ! -e "$archive" ] || tar -xf "$archive" -C "$corpus"
  if ! "$out/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -artifact_prefix="$out/$target-" \
      "$out/found/$target" "$corpus" "$out/seeds/$target" > "$out/$target.log" 2>&1; then
    echo "run.sh: $target: FOUND something: $(ls "$out/$target-"* 2> /dev/null | tr '\n' ' ')"
    failed=1
  fi
  most=2048
  [ "$target" != model ] || most=4800  # a whole model, however small, takes that
  [ "$target" != lists ] || most=3074  # a record of CIFAR-100
  "$out/$target" -merge=1 -max_len="$most" "$corpus" "$out/found/$target" "$out/seeds/$target" >> "$out/$target.log" 2>&1 || failed=1
  printf 'src:/usr/*\n' > "$out/not_ours.txt"  # hash functions of the standard library overflow on purpose
  build "integer-$target" -fsanitize=fuzzer,integer,implicit-conversion -fsanitize-ignorelist="$out/not_ours.txt"
  if ! "$out/integer-$target" -runs=0 "$corpus" "$out/seeds/$target" > "$out/integer-$target.log" 2>&1; then
    echo "run.sh: $target: $(grep -m1 'runtime error' "$out/integer-$target.log")"
    failed=1
  fi
  tar --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$archive" -C "$corpus" .
  echo "run.sh: $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$target.log" | head -1) inputs, $(grep -o 'cov: [0-9]*' "$out/$target.log" | tail -1), $(ls "$corpus" | wc -l) kept"
done
exit "$failed"
