#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# fixed_order.sh <program>: every version that this processor runs prints the same results, bit by bit.
set -euo pipefail
program=$1
wanted=$(MINIVIT_MAX_ISA=sse2 "$program" | tail -n +2)
[ "$(wc -l <<< "$wanted")" -eq 6 ] || { echo "fixed order: expected six results, found: $wanted"; exit 1; }
for isa in avx2 avx512_bf16; do
  read -r chosen < <(MINIVIT_MAX_ISA=$isa "$program")
  diff <(echo "$wanted") <(MINIVIT_MAX_ISA=$isa "$program" | tail -n +2) || { echo "fixed order: $chosen differs from sse2"; exit 1; }
  echo "fixed order: $chosen computes what sse2 computes"
done
