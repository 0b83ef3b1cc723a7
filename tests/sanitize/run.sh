#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh [threads] [memory]: what the test suite itself cannot run under: clang's thread sanitizer (many callers on one model) and memory
# sanitizer (inference and training of both families). Needs clang 19 (Debian: clang-19 libclang-rt-19-dev). Both programs are built
# without oneTBB, whose library is not instrumented: the memory sanitizer would not see its writes, the thread sanitizer not how its
# scheduler orders them (with it, nine alarms, all in hand-overs between its workers).
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- threads memory
out=build/sanitize
mkdir -p "$out"
build() { clang++-19 -std=c++20 -O1 -g -Wall -Wextra -Wconversion -Wshadow -Werror -DMINIVIT_NO_TBB -Iinclude "$@"; }
for check in "$@"; do
  case $check in
    threads)
      build -march=x86-64-v3 -fsanitize=thread tests/sanitize/threads.cpp -o "$out/threads"
      "$out/threads"
      ;;
    memory)
      build -fsanitize=memory -fsanitize-memory-track-origins tests/sanitize/memory.cpp -o "$out/memory"
      "$out/memory"
      ;;
    *) sed -n '3,6s/^# //p' "$0" >&2; exit 2 ;;
  esac
done
