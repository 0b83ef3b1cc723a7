#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docs_test.sh <root> <compiler> <flags>...: the C++ in README and docs/ compiles. Blocks are found by their fence, ```cpp. A block with an
# #include is a source of its own; one whose first line names a file, `// classifier.hpp`, is written under that name for the others of the page.
# A block without is a piece of a function and is put behind the last source of its page, or, without one, with those of other pages behind
# docs_prelude.hpp. What the library itself looks like has `<!-- excerpt -->` in the line before its fence and is left out.
set -euo pipefail
root=$1 compiler=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "docs_test: $*" >&2; exit 1; }

blocks=0
check() {  # check SOURCE FOLDER
  blocks=$((blocks + 1))
  "$compiler" -std=c++20 -fsyntax-only "${flags[@]}" -I"$root/include" -I"$2" "$1" || fail "a block does not compile"
}
flags=("$@")
printf '#include "%s"\n' "$root/tests/project/docs_prelude.hpp" > "$work/pieces.cpp"
while read -r page; do
  folder=$work/$(tr / _ <<< "${page#"$root"/}")
  mkdir "$folder"
  awk -v folder="$folder" -v common="$work/pieces.cpp" -v page="$page" -v piece="piece_${#folder}_$(basename "$page" .md)" '
    function flush(   name) {
      if (body ~ /#include/) {
        source = folder "/" ++sources ".cpp"
        if (match(body, /^[^\n]*\n\/\/ [a-z_]+\.[ch]pp\n/)) {
          name = substr(body, RSTART, RLENGTH)
          sub(/^[^\n]*\n\/\/ /, "", name); sub(/\n$/, "", name)
          source = folder "/" name
        }
        printf "%s", body >> source
      } else {
        printf "void %s_%d() {\n%s}\n", piece, ++pieces, body >> (source == "" ? common : source)
      }
    }
    /^```/ && inside { if (!skip) flush(); inside = 0; next }
    /^```cpp$/ { inside = 1; skip = before ~ /<!-- excerpt -->/; body = sprintf("#line %d \"%s\"\n", NR + 1, page); next }
    inside { body = body $0 "\n" }
    { before = $0 }
  ' "$page"
  for source in "$folder"/*.cpp; do
    [ -e "$source" ] || continue
    check "$source" "$folder"
  done
done < <(find "$root/README.md" "$root/docs" -name '*.md' | sort)
check "$work/pieces.cpp" "$work"
[ "$(grep -c '^void piece_' "$work/pieces.cpp")" -ge 5 ] || fail "pieces of code were not found"
[ "$blocks" -ge 6 ] || fail "only $blocks sources were found in the documentation"
echo "docs_test: $blocks sources compile"
