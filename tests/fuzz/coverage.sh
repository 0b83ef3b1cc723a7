#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# coverage.sh: how much of each reader of strangers' bytes the saved corpora and seeds of tests/fuzz/run.sh reach, in lines and in branches.
# Needs clang 19 and its tools (Debian: clang-19 libclang-rt-19-dev llvm-19). Lines that no input reaches are listed in build/fuzz/missed.txt,
# the counts of every branch in build/fuzz/branches.txt
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ $# -gt 0 ]; then sed -n '3,5s/^# //p' "$0"; exit 2; fi
readers=(io/{json_strict,json_value,config_fields,config_json,checkpoint_info,safetensors_header,safetensors_reader,pickle,pickle_reader,zip_directory,torch_container,torch_tensor,torch_file,dtype,checked}.hpp
         data/{image,image_check,image_check_jpeg,decode_jpeg,decode_png,bmp,exif,csv,cifar}.hpp)
out=build/fuzz/coverage
rm -rf "$out"
mkdir -p "$out"
clang++-19 -std=c++20 -O1 -march=x86-64 -DMINIVIT_NO_TBB -DMINIVIT_WITH_LIBJPEG -DMINIVIT_WITH_LIBPNG -fprofile-instr-generate -fcoverage-mapping \
  -Iinclude -Itests/fuzz tests/fuzz/coverage.cpp -o "$out/coverage" -ljpeg -lpng
bash tests/fuzz/seeds.sh "$out"
for target in weights model pickle settings image lists; do tar -xf "tests/fuzz/corpus/$target.tar" -C "$out/$target"; done
LLVM_PROFILE_FILE=$out/all.profraw "$out/coverage" "$out"
llvm-profdata-19 merge -o "$out/all.profdata" "$out/all.profraw"
sources=("${readers[@]/#/include/minivit/}")
llvm-cov-19 report "$out/coverage" -instr-profile="$out/all.profdata" -show-region-summary=false -sources "${sources[@]}" |
  awk '/\.hpp|^TOTAL/ { printf "%-28s lines %6s of %4d  branches %6s of %4d\n", $1, $7, $5, $10, $8 }'
llvm-cov-19 show "$out/coverage" -instr-profile="$out/all.profdata" -sources "${sources[@]}" |
  awk '/^\/.*:$/ { file = $0 } /^ +[0-9]+\| +0\|/ { print file $0 }' > build/fuzz/missed.txt
llvm-cov-19 show "$out/coverage" -instr-profile="$out/all.profdata" -show-branches=count -sources "${sources[@]}" > build/fuzz/branches.txt
