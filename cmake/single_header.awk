# SPDX-License-Identifier: MIT
# One file with all of minivit: awk -v out=minivit.hpp -f cmake/single_header.awk include minivit/core/a.hpp ...
# The first argument is the include folder, the others the headers to begin with. Every header of minivit is put where it is first
# included; whatever may be left out by an #if must therefore not be the first to include something that others need, so the floors
# without third-party headers come first on the command line.

function emit(path,   file, line) {
  if (path in seen) return
  seen[path] = 1
  file = root "/" path
  if ((getline line < file) <= 0) { print "single_header.awk: cannot read " file > "/dev/stderr"; exit failed = 1 }
  print "\n// ==== " path > out
  do {
    if (line ~ /^#include <minivit\//) {
      sub(/^#include </, "", line)
      sub(/>.*$/, "", line)
      emit(line)
      if (failed) exit 1
    } else if (line !~ /^#pragma once/ && line !~ /SPDX-License-Identifier/) {
      print line > out
    }
  } while ((getline line < file) > 0)
  close(file)
}

BEGIN {
  root = ARGV[1]
  print "// SPDX-License-Identifier: MIT" > out
  print "// minivit in one file, made by cmake/single_header.awk. The separate headers are the ones to read." > out
  print "#pragma once" > out
  for (i = 2; i < ARGC; i++) emit(ARGV[i])
  exit failed
}
