#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# coverage.sh: how much of each reader of strangers' bytes the saved corpora and seeds of tests/fuzz/run.sh reach, in lines and in branches.
# Needs clang 19 and its tools (Debian: clang-19 libclang-rt-19-dev llvm-19). Lines that no input reaches are listed in build/fuzz/missed.txt
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ $# -gt 0 ]; then sed -n '3,4s/^# //p' "$0"; exit 2; fi
readers=(io/{json_strict,json_value,config_fields,config_json,checkpoint_info,safetensors_header,safetensors_reader,pickle,pickle_reader,zip_directory,torch_container,torch_tensor,torch_file,dtype,checked}.hpp
         data/{image,image_check,image_check_jpeg,decode_jpeg,decode_png,bmp,exif,csv,cifar}.hpp)
out=build/fuzz/coverage
rm -rf "$out"
mkdir -p "$out"
objects=()
for target in weights model pickle settings image lists; do
  case $target in
    image | lists) header=data_targets.hpp libraries=(-DMINIVIT_WITH_LIBJPEG -DMINIVIT_WITH_LIBPNG -ljpeg -lpng) ;;
    *) header=io_targets.hpp libraries=() ;;
  esac
  clang++-19 -std=c++20 -O1 -march=x86-64 -DMINIVIT_NO_TBB -fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping -DTARGET="$target" \
    -DTARGETS="\"$header\"" -Iinclude -Itests/fuzz tests/fuzz/fuzzer.cpp -o "$out/$target" "${libraries[@]}"
  mkdir -p "$out/$target.inputs"
  tar -xf "tests/fuzz/corpus/$target.tar" -C "$out/$target.inputs"
  case $target in  # what run.sh begins with
    weights | model) find tests/fixtures \( -name '*.pth' -size -16k -o -name 'mini_swin_share_only*.safetensors' -size -100k \) -exec cp {} "$out/$target.inputs" \; ;;
    image) find tests/fixtures/images \( -name '*.png' -o -name '*.jpg' -o -name '*.bmp' \) -exec cp {} "$out/$target.inputs" \; ;;
    *) ;;
  esac
  LLVM_PROFILE_FILE=$out/$target.profraw "$out/$target" -runs=0 "$out/$target.inputs" > "$out/$target.log" 2>&1
  objects+=(-object "$out/$target")
done
llvm-profdata-19 merge -o "$out/all.profdata" "$out"/*.profraw
sources=("${readers[@]/#/include/minivit/}")
llvm-cov-19 report "${objects[@]}" -instr-profile="$out/all.profdata" -show-region-summary=false -sources "${sources[@]}" |
  awk '/\.hpp|^TOTAL/ { printf "%-28s lines %6s of %4d  branches %6s of %4d\n", $1, $7, $5, $10, $8 }'
llvm-cov-19 show "${objects[@]}" -instr-profile="$out/all.profdata" -sources "${sources[@]}" |
  awk '/^\/.*:$/ { file = $0 } /^ +[0-9]+\| +0\|/ { print file $0 }' > build/fuzz/missed.txt
