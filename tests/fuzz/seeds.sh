#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# seeds.sh FOLDER: what fuzzing begins with, in FOLDER/TARGET: pictures and weights of tests/fixtures, and what seeds*.cpp write.
set -euo pipefail
folder=$(realpath -m "${1:?usage: seeds.sh FOLDER}")
cd "$(dirname "$0")/../.."
mkdir -p "$folder"/{weights,model,pickle,settings,image,lists}
clang++-19 -std=c++20 -O0 -march=x86-64 -DMINIVIT_NO_TBB -Iinclude -Itests/fuzz tests/fuzz/seeds*.cpp -o "$folder/write"
"$folder/write" "$folder"
for target in weights model; do find tests/fixtures -name '*.pth' -size -16k -exec cp {} "$folder/$target" \;; done
find tests/fixtures/images \( -name '*.png' -o -name '*.jpg' -o -name '*.bmp' \) -exec cp {} "$folder/image" \;
for target in weights model pickle settings image lists; do
  [ "$(find "$folder/$target" -type f | wc -l)" -ge 3 ] || { echo "seeds.sh: hardly anything for $target" >&2; exit 1; }
done
