#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doxygen_test.sh <root>: every public name of the headers is described, as docs/Doxyfile says what is public, and no description names a
# parameter, a heading or a name that does not exist. Doxygen's own warnings leave out enumerators and a few kinds of names more, so its XML
# is searched as well. What the language makes by itself needs no words: destructors, and what is deleted.
set -euo pipefail
root=$1
if ! command -v doxygen > /dev/null; then
  echo "doxygen_test: no doxygen here"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"

# complaints <folder for output> <settings>: runs Doxygen and prints what is wrong, a line each, and at last how many names there were.
complaints() {
  mkdir "$1"
  printf '@INCLUDE = "%s/docs/Doxyfile"\nOUTPUT_DIRECTORY = "%s"\nGENERATE_HTML = NO\nGENERATE_XML = YES\nXML_PROGRAMLISTING = NO\n%s\n' "$root" "$1" "$2" |
    doxygen - 2>&1 | sort -u
  # An element begins and ends on lines of its own; a description is what stands on lines between <briefdescription> and its end.
  find "$1/xml" -name '*.xml' ! -name 'dir_*' ! -name 'md_*' ! -name index.xml -print0 | sort -z | xargs -0 awk '
    function attribute(name) { return match($0, name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 3) : "" }
    function text(line) { gsub(/<[^>]*>|^ +/, "", line); return line }
    function begin() { ++depth; name[depth] = ""; described[depth] = 0; hidden[depth] = attribute("prot") == "private" || hidden[depth - 1] }
    function end() {
      if (!hidden[depth]) { ++names; if (!described[depth]) missing[++count] = name[depth] (depth > 1 ? " of " name[1] : "") }
      --depth
    }
    function report(   i) {
      for (i = 1; i <= count; ++i) print place ": warning: " missing[i] " has no description (in the XML)"
      count = 0
    }
    /<(compounddef|memberdef|enumvalue) / { begin() }
    depth && /<(compoundname|name)>/ && name[depth] == "" { name[depth] = text($0) }
    depth && /<argsstring>.*=delete/ || depth > 1 && name[depth] ~ /^~/ { hidden[depth] = 1 }
    /<(brief|detailed)description>/ { inside = 1; next }
    /<\/(brief|detailed)description>/ { inside = 0 }
    inside && depth { described[depth] = 1 }
    /<location/ { place = attribute("file") ":" attribute("line") }
    /<\/enumvalue>/ { end() }
    /<\/(memberdef|compounddef)>/ { end(); if (place ~ /\.hpp:/) report(); count = 0 }
    END { print "names: " names + 0 }
  ' | sort -u
}

# The check sees each kind of mistake.
mkdir "$work/wrong"
cat > "$work/wrong/wrong.hpp" << 'EOF'
// SPDX-License-Identifier: MIT
// A header with eight mistakes.
#pragma once
namespace minivit {
struct Bare {};
/// Described.
struct Plain {
  int silent;
  int pair = 0, of = 0;  ///< these two are described
  Plain(const Plain&) = delete;
 private:
  int own;
};
/// Described, its values not.
enum class Kind { one, two };
/// Described.
/// \param wrong is not its name
void parameter(int right);
/// See \ref minivit::nowhere.
void reference();
void undescribed();
#define MINIVIT_BARE 1
}
EOF
complaints "$work/seen" "INPUT = \"$work/wrong\"" > "$work/seen.txt"
for part in 'Bare' 'silent' 'one of' 'two of' "'wrong'.* not found" 'nowhere' 'undescribed' 'MINIVIT_BARE'; do
  grep -q "wrong.hpp.*$part" "$work/seen.txt" || { cat "$work/seen.txt"; echo "doxygen_test: the check does not see '$part'"; exit 1; }
done
! grep -E "pair|own|'right'.*found" "$work/seen.txt" || { echo "doxygen_test: the check sees mistakes that are none"; exit 1; }

complaints "$work/out" "" > "$work/out.txt"
names=$(sed -n 's/^names: //p' "$work/out.txt")
sed -i '/^names: /d' "$work/out.txt"
if [ -s "$work/out.txt" ]; then
  sed "s|^$root/||" "$work/out.txt"
  echo "doxygen_test: $(wc -l < "$work/out.txt") complaints about $names names"
  exit 1
fi
[ "$names" -ge 1500 ] || { echo "doxygen_test: only $names names were found"; exit 1; }
echo "doxygen_test: $names names are described"
