# SPDX-License-Identifier: MIT
# What Doxygen reads instead of a file, line by line. Of a header: the comment at its top becomes the description of the file, the inline
# namespace named by the instruction set goes, `int a = 0, b = 0;` gives the comment behind or above it to each name and not to one alone,
# and the lines of a table or a formula in a comment, which begin with three blanks, stay lines. Of a page: links to a heading become links
# to its page, links to files that the site does not hold become their text, and in the tables of api.md names in `` become links.

# A declaration of several names as one of each, all in one line; `above` is the comment above it.
function apart(line, above,   code, comment, n, part, i, type, out) {
  if (line ~ /^ *(\/|using |return |for )/ || line !~ /, / || !match(line, /;( +\/\/\/< .*)?$/)) return line
  code = substr(line, 1, RSTART - 1)
  comment = substr(line, RSTART + 1)
  sub(/^ +\/\/\/< /, "", comment)
  if (code !~ /, / || code ~ /[{;]/ || code ~ /[^ ]\*/ || code ~ /[(<[][^]>)]*,/ || comment above == "") return line
  n = split(code, part, /, /)
  type = part[1]
  sub(/ *=.*/, "", type)
  sub(/[A-Za-z_0-9]+$/, "", type)
  for (i = 1; i <= n; ++i) out = out (i == 1 ? "" : type) part[i] "; " (comment != "" ? "/**< " comment " */ " : i > 1 ? "/**< " above " */ " : "")
  return out
}

function links(line,   out, target, text) {
  while (match(line, /\]\([^) ]+\)/)) {
    text = substr(line, 1, RSTART - 1)
    target = substr(line, RSTART + 2, RLENGTH - 3)
    line = substr(line, RSTART + RLENGTH)
    sub(/\.md#.*/, ".md", target)
    match(text, /!?\[[^[]*$/)  # where the link begins
    if (target ~ /^https?:|\.md$/ || substr(text, RSTART, 1) == "!") text = text "](" target ")"
    else text = substr(text, 1, RSTART - 1) substr(text, RSTART + 1)
    out = out text
  }
  return out line
}

# | `ViT` | `models/vit.hpp` | with links; one that leads nowhere is a warning.
function names(line,   out, name) {
  while (match(line, /`[^`]+`/)) {
    name = substr(line, RSTART + 1, RLENGTH - 2)
    out = out substr(line, 1, RSTART - 1) (name ~ /\/$/ ? "`" name "`" : "\\ref " (name ~ /^MINIVIT|\.hpp$/ ? "" : "minivit::") name " \"" name "\"")
    line = substr(line, RSTART + RLENGTH)
  }
  return out line
}

FNR == 1 { code = 0; header = top = FILENAME ~ /\.hpp$/ }
!header && /^ *```/ { code = !code }
FILENAME ~ /api\.md$/ && /^\| / { $0 = names($0) }
!header { print code ? $0 : links($0); next }
FNR == 1 && /SPDX/ { print "/// \\file"; next }
top && /^\/\/( |$)/ { $0 = "/" $0 }
/^ *\/\/\/( |$)/ {
  row = /\/\/\/   +[^ ]/
  if (row || table) sub(/\/\/\/ +/, "/// \\n ")
  table = row
  print
  sub(/^ *\/\/\/ */, "")
  above = above " " $0
  next
}
{ top = table = 0; sub(/::inline MINIVIT_ISA/, ""); print apart($0, above); above = "" }
