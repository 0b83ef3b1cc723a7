#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# fma_test.sh <include folder> <compiler>...: shows from the assembly that the float32 product is made of fused multiply-adds on the
# widest registers of AVX2 and AVX-512, not of separate multiplications and additions and not of calls. Compilers that are not
# installed are skipped.
set -euo pipefail
include=${1:?usage: fma_test.sh INCLUDE COMPILER...}
shift
[ "$(uname -m)" = x86_64 ] || { echo "skipped: not an x86-64 machine"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/product.cpp" <<'CPP'
#include <minivit/kernels/gemm.hpp>
// the register tile alone: its inner loop and what stores it
void tile(float* c, const float* a, const float* b, long depth) {
  using Arch = minivit::simd::best;
  constexpr auto rows = minivit::kernels::Tile<Arch, float>::rows;
  minivit::kernels::detail::tile<Arch, rows, 3, minivit::kernels::Order::plain, float, float>(
      c, 3 * minivit::simd::lanes<float, Arch>, a, depth, b, depth, minivit::simd::lanes<float, Arch>, nullptr, nullptr, 0);
}
CPP
failed=0
for compiler in "$@"; do
  command -v "$compiler" > /dev/null || { echo "$compiler: not installed"; continue; }
  for level in v3:ymm:12 v4:zmm:24; do  # instruction set, register, sums of a tile
    IFS=: read -r isa register sums <<< "$level"
    "$compiler" -std=c++20 -O3 -march="x86-64-$isa" -DNDEBUG -I "$include" -S -o "$work/product.s" "$work/product.cpp"
    fused=$(grep -cE "vfmadd[0-9]+ps.*%$register" "$work/product.s" || true)
    apart=$(grep -cE "v(mul|add)ps|call.*fma" "$work/product.s" || true)
    echo "$compiler x86-64-$isa: $fused fused multiply-adds on $register, $apart separate"
    [ "$fused" -ge "$sums" ] && [ "$apart" -eq 0 ] || failed=1
  done
done
exit "$failed"
