#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# interrupt_test.sh PROGRAM: `minivit train` ended by Ctrl-C, SIGTERM, timeout(1), a closed terminal, a broken pipe and kill -9 at
# odd moments, and resumed: the weights, the training state and the log are those of a run that nobody disturbed.
set -euo pipefail
[ -n "${1:-}" ] || exit 77  # the program was not built
program=$1
folder=$(mktemp -d)
child=
cleanup() {
  [ -z "$child" ] || kill -9 "$child" 2> /dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"
failed=0
fail() {
  echo "FAILED: $*"
  failed=1
}

# A small data set: six epochs of 8 steps. The test split takes part of the time, so that signals also come while it is evaluated.
"$program" samples --count 170 --output pictures > pictures.txt
n=0
while read -r picture; do
  n=$((n + 1))
  class=${picture##*_}
  if [ "$n" -le 135 ]; then to=data/train/${class%.png}; else to=data/test/${class%.png}; fi
  mkdir -p "$to"
  mv "$picture" "$to"
done < pictures.txt
epochs=6
train=("$program" train --model mini_vit_nano_patch4_32 --data data --batch 16 --epochs "$epochs" --padding 4 --flip
  --mixup 0.8 --cutmix 1 --drop-path 0.1 --seed 3)
run() {  # run NAME OPTIONS...: starts or goes on with a run in the background
  local name=$1
  shift
  "${train[@]}" --resume --output "$name.safetensors" --log "$name.jsonl" "$@" > "$name.out" 2> "$name.err" &
  child=$!
}
wait_for_run() {  # exit code of the run, in $status
  status=0
  wait "$child" 2> /dev/null || status=$?
  child=
}
until_file() {  # until_file NAME: waits until the run has written it, at most 30 s
  local i
  for ((i = 0; i < 3000; ++i)); do
    [ -s "$1" ] && return
    sleep 0.01
  done
  fail "no $1 after 30 s"
}
refused() {  # refused NAME TEXT OPTIONS...: the program will not start
  local name=$1 text=$2 status=0
  shift 2
  "${train[@]}" --output "$name" "$@" > refused.out 2>&1 || status=$?
  if [ "$status" -ne 2 ] || ! grep -q "$text" refused.out; then fail "$name: exit $status, wanted 2 and '$text'"; fi
}
same_as_unbroken() {  # same_as_unbroken NAME
  cmp "whole.safetensors" "$1.safetensors" || fail "$1: other weights"
  cmp "whole.safetensors.training" "$1.safetensors.training" || fail "$1: another training state"
  cmp <(sed 's/"images_per_s": [^,]*, //' whole.jsonl) <(sed 's/"images_per_s": [^,]*, //' "$1.jsonl") || fail "$1: another log"
  [ "$(ls -A | grep -c '^\.minivit-')" -eq 0 ] || fail "$1: temporary files are left"
}
finish() {  # finish NAME: goes on until the end
  run "$1" --threads 2
  wait_for_run
  [ "$status" -eq 0 ] || fail "$1: resuming ended with $status: $(tail -1 "$1.err")"
  same_as_unbroken "$1"
}

start=$(date +%s%N)
run whole --threads 2
wait_for_run
[ "$status" -eq 0 ] || fail "the unbroken run ended with $status"
[ "$(wc -l < whole.jsonl)" -eq "$epochs" ] || fail "not a line for each epoch"
epoch_ms=$((($(date +%s%N) - start) / 1000000 / epochs))
pause() {  # pause N: a tenth of a second and a different part of an epoch for each N
  sleep "$(awk -v ms="$epoch_ms" -v n="$1" 'BEGIN { print 0.1 + ms / 1000 * ((n * 0.618034) % 1) }')"
}

# One interrupt after the other on the same run, with changing threads.
n=0
interrupted=0
for signal in INT TERM INT TERM HUP; do
  n=$((n + 1))
  rm -f signals.err
  run signals --threads $((1 + n % 2))
  until_file signals.err  # the first line comes just before training
  pause "$n"
  kill -"$signal" "$child" 2> /dev/null || true
  wait_for_run
  if [ "$status" -eq 0 ]; then break; fi  # a fast machine was done
  [ "$status" -eq 130 ] || fail "SIG$signal: exit $status"
  grep -q "go on with the same command" signals.err || fail "SIG$signal: says nothing about --resume"
  [ -s signals.safetensors.training ] || fail "SIG$signal: no training state"
  [ ! -e signals.safetensors ] || fail "SIG$signal: weights of a run that is not complete"
  interrupted=$((interrupted + 1))
done
[ "$interrupted" -ge 2 ] || fail "only $interrupted interrupts came in time"
finish signals

# What would cost work is refused before any work is done.
cp signals.safetensors.training unfinished.safetensors.training
refused unfinished.safetensors "an unfinished run is there"
cmp signals.safetensors.training unfinished.safetensors.training || fail "the unfinished run was touched"
mkdir readonly
chmod a-w readonly
if ! touch readonly/x 2> /dev/null; then refused readonly/a.safetensors "Permission denied"; fi  # root may write everywhere

# timeout(1) sends its signal to the program and to its group: twice.
seconds=$(awk -v ms="$epoch_ms" 'BEGIN { print ms / 1000 * 1.5 }')
status=0
timeout --preserve-status -s INT "$seconds" "${train[@]}" --output twice.safetensors --log twice.jsonl > /dev/null 2> twice.err || status=$?
[ "$status" -eq 130 ] || fail "timeout: exit $status"
grep -q "go on with the same command" twice.err || fail "timeout: the program was not left the time to save"
[ -s twice.safetensors.training ] || fail "timeout: no training state"
finish twice

# Who reads the output goes away after the first line.
set +o pipefail
status=0
{
  "${train[@]}" --output pipe.safetensors --log pipe.jsonl 2>&1 || echo $? > pipe.status
} | head -n 1 > /dev/null
set -o pipefail
if [ -z "$(trap -p PIPE)" ]; then wanted=130; else wanted=0; fi  # where our caller ignores broken pipes, so does the program
[ "$(cat pipe.status 2> /dev/null || echo 0)" = "$wanted" ] || fail "broken pipe: exit $(cat pipe.status 2> /dev/null || echo 0)"
[ -s pipe.safetensors.training ] || fail "broken pipe: no training state"
finish pipe

# Nobody reads at all, and the disk of the output is full: the run is not impressed.
if [ -e /dev/full ]; then
  status=0
  "${train[@]}" --output full.safetensors --log full.jsonl > /dev/null 2> /dev/full || status=$?
  [ "$status" -eq 0 ] || fail "stderr on a full disk: exit $status"
  same_as_unbroken full
fi

# kill -9: the last whole state is there, and what was half written is cleared away.
for n in 1 2 3 4 5; do
  rm -f killed.err
  run killed --threads 2
  until_file killed.err
  pause "$((n + 7))"
  kill -9 "$child" 2> /dev/null || true
  wait_for_run
  [ "$status" -eq 0 ] && break
  [ "$status" -eq 137 ] || fail "kill -9: exit $status: $(tail -1 killed.err)"
  if [ -e killed.safetensors.training ]; then
    "$program" inspect killed.safetensors.training > /dev/null || fail "kill -9: the training state is not whole"
  fi
done
finish killed
exit "$failed"
