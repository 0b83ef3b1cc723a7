#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Feeds include_direction.sh one header at a time and expects its verdict.
set -euo pipefail
check="$(dirname "$0")/include_direction.sh"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# expect <good|bad> <header> <include line>
expect() {
  rm -rf "${tree:?}/minivit"
  mkdir -p "$(dirname "$tree/minivit/$2")"
  printf '#pragma once\n%s\n' "$3" > "$tree/minivit/$2"
  if bash "$check" "$tree/minivit" > "$tree/output" 2>&1; then verdict=good; else verdict=bad; fi
  if [ "$verdict" != "$1" ]; then
    printf '%s with %s: expected %s, found %s\n' "$2" "$3" "$1" "$verdict"
    cat "$tree/output"
    failures=$((failures + 1))
  elif [ "$verdict" = bad ] && ! grep -q "^$2:" "$tree/output"; then
    printf '%s with %s: the message does not name the file: %s\n' "$2" "$3" "$(cat "$tree/output")"
    failures=$((failures + 1))
  fi
}

expect good ops/linear.hpp '#include <minivit/kernels/gemm.hpp>'
expect good ops/linear.hpp '#include <minivit/ops/norm.hpp>'
expect good ops/linear.hpp '#include <vector>'
expect good ops/linear.hpp '// #include <minivit/train/trainer.hpp>'
expect good minivit.hpp '#include <minivit/train/trainer.hpp>'
expect good testing/gradient_check.hpp '#include <minivit/models/vit.hpp>'
expect good train/trainer.hpp '#include <minivit/testing/gradient_check.hpp>'
expect good kernels/reference/math.hpp '#include <minivit/simd/batch.hpp>'
expect good run/fit.hpp '#include <minivit/io/checkpoint.hpp>'
expect bad train/trainer.hpp '#include <minivit/run/fit.hpp>'
expect bad run/fit.hpp '#include <minivit/minivit.hpp>'
expect bad core/view.hpp '#include <minivit/simd/batch.hpp>'
expect bad simd/batch.hpp '#include <minivit/kernels/gemm.hpp>'
expect bad kernels/reference/math.hpp '#include <minivit/ops/linear.hpp>'
expect bad ops/linear.hpp '  #  include <minivit/layers/linear.hpp>'
expect bad layers/linear.hpp '#include <minivit/models/config.hpp>'
expect bad models/vit.hpp '#include <minivit/train/trainer.hpp>'
expect bad models/vit.hpp '#include <minivit/testing/gradient_check.hpp>'
expect bad models/vit.hpp '#include <minivit/minivit.hpp>'
expect bad testing/gradient_check.hpp '#include <minivit/train/trainer.hpp>'
expect bad train/trainer.hpp '#include <minivit/io/safetensors.hpp>'
expect bad io/checkpoint.hpp '#include <minivit/train/adamw.hpp>'
expect bad data/loader.hpp '#include <minivit/io/json.hpp>'
expect bad analysis/cka.hpp '#include <minivit/data/loader.hpp>'
expect bad ops/linear.hpp '#include "../kernels/gemm.hpp"'
expect bad ops/linear.hpp '#include <minivit/attic/gemm.hpp>'
expect bad attic/gemm.hpp '#include <vector>'
expect good core/threads.hpp '#include <oneapi/tbb/parallel_for.h>'
expect bad kernels/gemm.hpp '#include <oneapi/tbb/parallel_for.h>'
expect bad train/trainer.hpp '#include <tbb/tbb.h>'
expect good simd/batch.hpp '#include <xsimd/xsimd.hpp>'
expect bad simd/math.hpp '#include <xsimd/xsimd.hpp>'
expect good data/loader.hpp '#include <range/v3/view/chunk.hpp>'
expect bad train/trainer.hpp '#include <range/v3/view/chunk.hpp>'
expect good data/image.hpp '#include <stb/stb_image.h>'
expect bad io/image.hpp '#include <stb_image.h>'
expect good io/safetensors.hpp '#include <nlohmann/json.hpp>'
expect bad models/config.hpp '#include <nlohmann/json.hpp>'
expect bad train/progress.hpp '#include <fmt/format.h>'
expect bad core/errors.hpp '#include <CLI/CLI.hpp>'

[ "$failures" = 0 ]
