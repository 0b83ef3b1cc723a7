#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh <program> <folder with its joined objects>: every version that this processor runs is chosen when asked for and gives the same
# logits; none leaks a symbol that another source could be linked to.
set -euo pipefail
program=$1 objects=$2
fail() { echo "dispatch: $*" >&2; exit 1; }
best=$("$program" | head -1 | cut -d ' ' -f 1)
[ "$(MINIVIT_MAX_ISA=sse2 "$program" | head -1 | cut -d ' ' -f 1,2)" = "sse2 sse2" ] || fail "sse2 was not chosen"
seen=0
for isa in avx512_bf16 avx512_vnni avx512 avx2 sse2; do
  read -r chosen compiled logits < <(MINIVIT_MAX_ISA=$isa "$program" || true)
  [ "$chosen" = "$compiled" ] || fail "asked for $isa, '$chosen' is really '$compiled'"
  # float32 products in another order: 1e-5 of logits of order 1
  awk -v a="$logits" -v b="$(MINIVIT_MAX_ISA=sse2 "$program" | head -1 | cut -d ' ' -f 3-)" 'BEGIN {
    n = split(a, x, " "); if (n != 5 || split(b, y, " ") != n) exit 1
    for (i = 1; i <= n; i++) { d = x[i] - y[i]; if (d < 0) d = -d; if (!(d < 1e-5)) exit 1 }
  }' || fail "$isa gives other logits: $logits"
  [ "$chosen" = "$isa" ] && seen=$((seen + 1))
done
[ "$("$program" | tail -1)" = "refuse: as it should" ] || fail "an exception got lost: $("$program" | tail -1)"
message=$(MINIVIT_MAX_ISA=mmx "$program") && fail "an unknown name was taken"
[[ $message == "error: minivit: environment variable MINIVIT_MAX_ISA: expected one of avx512_bf16, "*", found 'mmx'" ]] || fail "$message"
for object in "$objects"/*_{avx512_bf16,avx512,avx2,sse2}.o; do
  leaks=$(nm --defined-only --extern-only "$object" | grep -v isa_ || true)
  [ -z "$leaks" ] || fail "$object leaks: $leaks"
  [ "$(nm --defined-only "$object" | grep -c " [tT] ")" -gt 10 ] || fail "$object is empty"
done
echo "dispatch: best here is $best, $seen of 4 versions were run"
