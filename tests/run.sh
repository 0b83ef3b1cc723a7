#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh [--quick | --all]: installs missing packages, builds, and runs every test, on a bare Debian 12 as root or with sudo.
#   (default)  all tests as fast code for this machine; kernel and model tests as plain x86-64 and as AVX2 code;
#              core, io and data tests under the address and undefined-behaviour sanitizers
#   --quick    only the first of these
#   --all      also all tests with clang 19
# The last line sums up; exit code 0 means that everything was built and passed.
set -euo pipefail
cd "$(dirname "$0")/.."

presets=(check portable avx2 asan)
install_options=(--docs)
case ${1:-} in
  "") ;;
  --quick) presets=(check) ;;
  --all) presets+=(clang); install_options+=(--clang) ;;
  --help) sed -n '3,8s/^# //p' "$0"; exit 0 ;;
  *) sed -n '3,8s/^# //p' "$0" >&2; exit 2 ;;
esac

bash cmake/install_packages.sh "${install_options[@]}"

# What ccache has from another clone serves this one. It asks the compiler for the headers of a file and need not preprocess it itself,
# which would take a tenth of the time when nothing is stored yet.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1

# One compiler takes up to 2.8 GB.
jobs=$(nproc)
if [ -r /proc/meminfo ]; then
  fit=$(awk '/^MemAvailable:/ { print int($2 / 2800000) }' /proc/meminfo)
  [ "$fit" -lt 1 ] && fit=1
  [ "$fit" -lt "$jobs" ] && jobs=$fit
fi

cpu_has() {
  local feature
  for feature in "$@"; do grep -qw -m1 "$feature" /proc/cpuinfo || return 1; done
}

passed=0
failed=0
broken=()
for preset in "${presets[@]}"; do
  case $preset in
    portable) if [ "$(uname -m)" != x86_64 ]; then echo "run.sh: skipping portable: not an x86-64 machine"; continue; fi ;;
    avx2) if ! cpu_has avx2 fma bmi1 bmi2 f16c movbe abm; then echo "run.sh: skipping avx2: this CPU lacks it"; continue; fi ;;
  esac
  echo "run.sh: $preset"
  start=$SECONDS
  if ! cmake --preset "$preset" || ! cmake --build --preset "$preset" -j "$jobs"; then
    broken+=("$preset")
    continue
  fi
  log=build/$preset/run.log
  status=0
  ctest --preset "$preset" -j "$jobs" | tee "$log" || status=$?
  counts=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests failed out of \([0-9]*\).*/\1 \2/p' "$log")
  if [ -z "$counts" ]; then
    broken+=("$preset")
    continue
  fi
  failed=$((failed + ${counts% *}))
  passed=$((passed + ${counts#* } - ${counts% *}))
  [ "$status" -eq 0 ] || [ "${counts% *}" -gt 0 ] || broken+=("$preset")
  echo "run.sh: $preset took $((SECONDS - start)) s"
done

summary="run.sh: $passed passed, $failed failed in $((SECONDS / 60)) min $((SECONDS % 60)) s"
[ ${#broken[@]} -eq 0 ] || summary+="; did not build or run: ${broken[*]}"
echo "$summary"
[ "$failed" -eq 0 ] && [ ${#broken[@]} -eq 0 ]
