#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# code_size_test.sh <include folder> <compiler> <most functions>: which functions are made of models with 12 and 24 layers, for inference
# and training. Layers of one type run in a loop, so they must be equally many, and no more than they are now: a change that multiplies
# instantiations fails here and not in the patience of users.
set -euo pipefail
include=${1:?usage: code_size_test.sh INCLUDE COMPILER MOST}
compiler=$2 most=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/model.cpp" <<'CPP'
#include <minivit/models/inference.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>
constexpr auto config = [] {
  auto c = minivit::presets::vit_nano_patch4_32;
  c.depth = DEPTH;
  return c;
}();
using Model = minivit::ViT<config>;
void classify(Model& model, Model::Images images) { (void)minivit::Inference<Model>(model)(images); }
void train(Model& model, Model::Images images, minivit::Trainer<Model>::Targets targets) { (void)minivit::Trainer<Model>(model).step(images, targets); }
CPP
for depth in 12 24; do  # without optimisation, which would leave out what it inlines
  "$compiler" -std=c++20 -O0 -DDEPTH="$depth" -I "$include" -c -o "$work/$depth.o" "$work/model.cpp"
  nm --defined-only "$work/$depth.o" | awk '$2 ~ /^[tTwW]$/' | wc -l > "$work/$depth.functions"
  echo "$depth layers: $(cat "$work/$depth.functions") functions, $(size "$work/$depth.o" | awk 'NR == 2 { print $1 }') bytes of code"
done
functions=$(cat "$work/24.functions")
[ "$functions" = "$(cat "$work/12.functions")" ] || { echo "code_size_test: 24 layers are made of other functions than 12"; exit 1; }
[ "$functions" -ge 100 ] || { echo "code_size_test: only $functions functions were found"; exit 1; }
[ "$functions" -le "$most" ] || { echo "code_size_test: more than $most functions"; exit 1; }
