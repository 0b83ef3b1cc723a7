#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# headers_test.sh <include folder> <work folder> <compiler> <flags>...: every public header compiles alone. A header that another one includes
# before anything else is seen to do so in that one's source and needs none of its own. Without oneTBB and optimisation, so that it takes half
# the time, and nothing that oneTBB happens to include can be leant on; core/threads.hpp with oneTBB, too.
set -euo pipefail
include=$1 work=$2
shift 2
mkdir -p "$work"
export work
check() {  # check HEADER: as its users include it
  local name=${1//\//_}
  echo "#include <minivit/$1>" > "$work/$name.cpp.new"
  cmp -s "$work/$name.cpp.new" "$work/$name.cpp" || cp "$work/$name.cpp.new" "$work/$name.cpp"
  rm "$work/$name.cpp.new"
  "${@:2}" -O0 -MD -c "$work/$name.cpp" -o "$work/$name.o" || { echo "headers_test: $1 does not compile alone" >&2; return 1; }
}
export -f check
check core/threads.hpp "$@"
cd "$include/minivit"
headers=$(find . -name '*.hpp' | sed 's,^\./,,' | sort)
first=$(xargs awk '!/^(\/\/|#pragma once|$)/ { if (match($0, /<minivit\/.*>/)) print substr($0, RSTART + 9, RLENGTH - 10); nextfile }' <<< "$headers")
sources=$(comm -23 <(echo "$headers") <(sort -u <<< "$first"))
xargs -P "$(nproc)" -I{} bash -c 'check "$@"' check {} "$@" -DMINIVIT_NO_TBB <<< "$sources"
echo "headers_test: $(wc -l <<< "$headers") headers compile alone, seen in $(wc -l <<< "$sources") sources"
