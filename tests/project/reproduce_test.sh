#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# reproduce_test.sh <reproduce>: the CIFAR-10 study on a handful of drawn pictures: every row runs, a row that has its result is not run
# again, a stopped study goes on, the table has every row. Exit code 77: nothing to test.
set -euo pipefail
reproduce=${1:-}
[ -n "$reproduce" ] && [ -x "$reproduce" ] || { echo "reproduce was not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "reproduce_test: $*" >&2; exit 1; }
try=("$reproduce" --data synthetic --count 32 --most-epochs 1 --output "$work/study")

# Stopped as soon as the teacher is there, or before.
"${try[@]}" > "$work/first.txt" 2> "$work/first.err" &
pid=$!
for _ in $(seq 300); do
  [ -e "$work/study/teacher_seed1.json" ] && break
  sleep 0.1
done
kill -INT "$pid" 2> /dev/null || true
status=0
wait "$pid" || status=$?
[ "$status" = 130 ] || [ "$status" = 0 ] || fail "a stopped study returned $status: $(tail -3 "$work/first.err")"

"${try[@]}" > "$work/table.txt" 2> "$work/second.err" || fail "the study did not finish: $(tail -3 "$work/second.err")"
rows=$(grep -c '^| [a-z]' "$work/table.txt" || true)
[ "$rows" = 17 ] || fail "the table has $((rows - 1)) rows, expected 16: $(cat "$work/table.txt")"  # and its title
[ "$(ls "$work"/study/*.json | wc -l)" = 22 ] || fail "expected 22 results: $(ls "$work/study")"
grep -q '^| ablation_1_shared | [0-9]* | [0-9.]* M | 2 |' "$work/table.txt" || fail "the ablation needs two seeds"
head -1 "$work/study/logs/ablation_5_features_seed1.jsonl" | grep -q '"attention": [0-9.]*, "hidden": [0-9.]*' || fail "the log lacks the feature terms"
for figure in accuracy gradient_norms alignment; do grep -q '5_features' "$work/study/$figure.svg" || fail "$figure.svg is not drawn"; done
[ -s "$work/study/logs/ablation_1_shared_seed1_gradients.jsonl" ] || fail "gradient norms are missing"
ls "$work"/study/weights/*.training > /dev/null 2>&1 && fail "a finished row left its checkpoint behind"

stamp=$(stat -c %Y "$work/study/teacher_seed1.json")
"${try[@]}" > "$work/again.txt" 2>&1 || fail "a finished study cannot be called again"
[ "$(stat -c %Y "$work/study/teacher_seed1.json")" = "$stamp" ] || fail "a finished row was run again"
diff <(grep '^|' "$work/table.txt") <(grep '^|' "$work/again.txt") || fail "the table changed"

refused() {  # refused TEXT OPTIONS...: exits with 2 and prints TEXT
  local text=$1 status=0
  shift
  "$reproduce" "$@" > "$work/refused.txt" 2>&1 || status=$?
  [ "$status" = 2 ] || fail "exit code $status, wanted 2: $*"
  grep -q -e "$text" "$work/refused.txt" || fail "$(cat "$work/refused.txt")"
}
refused '^reproduce: --data' --output "$work"
refused 'no such data set' --data "$work/nothing" --output "$work"
refused '--only' --only nothing
echo "reproduce_test: passed"
