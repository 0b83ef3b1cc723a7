#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# include_direction.sh <include/minivit>: checks that headers include only their own floor or a lower one, and that each
# third-party library is included only where it belongs. Prints one line per mistake; exit code 1 when there is any.
set -euo pipefail
root=${1:?usage: include_direction.sh <include/minivit>}
[ -n "$(find "$root" -name '*.hpp' | head -1)" ] || { echo "$root: no headers"; exit 2; }

find "$root" -name '*.hpp' | LC_ALL=C sort | while IFS= read -r file; do
  awk -v name="${file#"$root"/}" '
    BEGIN {
      # Height of each floor. train, data, io and analysis stand side by side and do not know each other.
      split("core simd kernels ops layers models", order, " ")
      for (i in order) height[order[i]] = i + 0  # a number, not text
      height["testing"] = 7
      height["train"] = height["data"] = height["io"] = height["analysis"] = 8
      height["run"] = 9  # joins these four
      height[""] = 10    # umbrella headers
      # Third-party header prefix -> where it may be included.
      allowed["tbb/"] = allowed["oneapi/"] = "^core/threads\\.hpp$"
      allowed["xsimd/"] = "^simd/batch\\.hpp$"
      allowed["range/"] = "^data/"
      allowed["stb/"] = allowed["stb_image"] = "^data/"
      allowed["jpeglib.h"] = allowed["png.h"] = "^data/"
      allowed["nlohmann/"] = "^io/"
      allowed["fmt/"] = allowed["CLI/"] = allowed["catch2/"] = allowed["benchmark/"] = allowed["json.hpp"] = "^$"
      mine = floor_of(name)
      if (!(mine in height)) complain("lies on no known floor")
    }
    function floor_of(path) { return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "" }
    function complain(what) { printf "%s%s: %s\n", name, NR ? ":" NR : "", what }
    # Drops the comments, so that an include inside one does not count.
    { line = $0; sub(/\/\/.*/, "", line) }
    line !~ /^[ \t]*#[ \t]*include[ \t]*[<"]/ { next }
    {
      quoted = line ~ /include[ \t]*"/
      target = line
      sub(/^[^<"]*[<"]/, "", target)
      sub(/[>"].*/, "", target)
    }
    quoted && target !~ /^minivit\// { complain("\"" target "\": write <minivit/...>"); next }
    target ~ /^minivit\// {
      other = floor_of(substr(target, 9))
      if (!(other in height)) complain("<" target "> lies on no known floor")
      else if (height[other] > height[mine]) complain("<" target "> lies above this floor")
      else if (height[other] == height[mine] && other != mine) complain("<" target "> lies beside this floor")
      next
    }
    {
      for (prefix in allowed)
        if (index(target, prefix) == 1 && name !~ allowed[prefix]) complain("<" target "> does not belong here")
    }
  ' "$file"
done | {
  mistakes=$(cat)
  [ -z "$mistakes" ] && exit 0
  printf '%s\n' "$mistakes"
  exit 1
}
