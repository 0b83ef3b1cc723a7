#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cli_test.sh PROGRAM FIXTURES PAGE: the program `minivit` from training to classification, resuming, and its answers to bad input.
set -euo pipefail
[ -n "${1:-}" ] || exit 77  # the program was not built
program=$1
fixtures=$2
page=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
failed=0

ok() {  # ok TEXT COMMAND...: exits 0 and prints TEXT
  local text=$1 out
  shift
  if ! out=$("$@" 2>&1) || [[ $out != *"$text"* ]]; then
    echo "FAILED: $* (wanted '$text')"
    echo "$out" | tail -5
    failed=1
  fi
}
refused() {  # refused CODE TEXT COMMAND...: exits with CODE and prints TEXT
  local code=$1 text=$2 out status=0
  shift 2
  out=$("$@" 2>&1) || status=$?
  if [ "$status" -ne "$code" ] || [[ $out != *"$text"* ]]; then
    echo "FAILED: $* (exit $status, wanted $code and '$text')"
    echo "$out" | tail -5
    failed=1
  fi
}

ok "minivit" "$program" --version
for word in instructions threads "images: JPEG by" "PNG by" flags; do ok "$word" "$program" --version; done
for sub in models inspect convert forward classify preprocess samples eval train distill bench analyse; do
  ok "Usage" "$program" "$sub" --help
  for option in $("$program" "$sub" --help | sed '/^Example/,$d' | grep -o -e '^ *--*[a-z0-9, -]*' | grep -o -e '--[a-z0-9-]*'); do  # the page knows each option
    [ "$option" = --help ] || grep -q -e "\`$option\`" "$page" || { echo "FAILED: $page lacks $option of $sub"; failed=1; }
  done
done
ok "3090304" "$program" models
ok '"parameters": 5717416' "$program" models --json
if "$program" models | grep -q "^This program computes with"; then  # built with some of the models: it knows the others, and says so
  refused 2 "built without the model: expected one of" "$program" bench --model mini_deit_base_patch16_224 --repeats 1 --allow-debug
  refused 2 "built without the model" "$program" train --model mini_vit_lite_patch4_32 --data synthetic --output refused.safetensors
  ok '"built": false' "$program" models --json
fi
ok "blocks.3.attn.qkv.weight" "$program" inspect "$fixtures/deit_a.weights.safetensors"

small=(--data synthetic --count 128 --batch 32 --seed 3)
ok "test accuracy" "$program" train --model vit_nano_patch4_32 "${small[@]}" --epochs 1 --output teacher.safetensors --log teacher.jsonl --plot teacher.svg
grep -q '"epoch": 0' teacher.jsonl || { echo "FAILED: no epoch in the log"; failed=1; }
grep -q '<svg' teacher.svg || { echo "FAILED: no curve"; failed=1; }
ok "test accuracy" "$program" distill --teacher teacher.safetensors --model mini_vit_nano_patch4_32 "${small[@]}" --precision bf16 --epochs 2 --output student.safetensors
ok "already complete" "$program" distill --teacher teacher.safetensors --model mini_vit_nano_patch4_32 "${small[@]}" --precision bf16 --epochs 2 --output student.safetensors --resume
refused 2 "other settings" "$program" distill --teacher teacher.safetensors --model mini_vit_nano_patch4_32 "${small[@]}" --precision bf16 --epochs 3 --output student.safetensors --resume
ok '"vit_nano_patch4_32"' "$program" inspect teacher.safetensors --json
ok '"images": 200' "$program" eval --weights student.safetensors --data synthetic --count 200 --json
ok '"accuracy"' "$program" eval --weights student.safetensors --data synthetic --count 200 --precision bf16 --json
ok '"accuracy"' "$program" eval --weights student.safetensors --data synthetic --count 200 --precision int8 --json
ok '"accuracy"' "$program" eval --weights student.safetensors --data synthetic --count 200 --precision int8 --calibrate 16 --json
ok '"phase": "attn' "$program" bench --model vit_nano_patch4_32 --precision int8 --calibrate --profile --repeats 2 --json --allow-debug
ok '"training_mib_per_image"' "$program" bench --model vit_nano_patch4_32 --mode train --precision bf16 --recompute --batch 8 --repeats 2 --json --allow-debug
refused 2 "only int8" "$program" eval --weights student.safetensors --data synthetic --calibrate 16

# one thread and two threads write the same bytes
"$program" train --model vit_nano_patch4_32 "${small[@]}" --epochs 1 --threads 1 --output one.safetensors > /dev/null 2>&1
"$program" train --model vit_nano_patch4_32 "${small[@]}" --epochs 1 --threads 2 --output two.safetensors > /dev/null 2>&1
cmp one.safetensors two.safetensors || { echo "FAILED: weights depend on the number of threads"; failed=1; }

"$program" samples --count 3 --output pictures > pictures.txt
ok "%" "$program" classify --weights student.safetensors $(cat pictures.txt)
ok '"probability"' "$program" classify --weights student.safetensors --json --top 2 $(head -1 pictures.txt)
ok "automobile" "$program" classify --top 10 "$fixtures/images/jpeg_large.jpg"  # the model in the box

# pictures in folders and in a list, with a broken one; labels follow the classes in the weights file
echo "path,label" > list.csv
while IFS= read -r picture; do
  class=$(basename "$picture" .png); class=${class#*_}
  mkdir -p "own/test/$class/below"
  cp "$picture" "own/test/$class/below/$(basename "$picture" .png).PNG"
  echo "\"$picture\",$class" >> list.csv
done < pictures.txt
ok '"images": 3' "$program" eval --weights student.safetensors --data list.csv --json
ok '"images": 3' "$program" eval --weights student.safetensors --data own --json
echo nothing > "own/test/$class/broken.jpg"
echo "missing.png,$class" >> list.csv
refused 2 "broken.jpg: not an image" "$program" eval --weights student.safetensors --data own
ok "broken.jpg: not an image" "$program" eval --weights student.safetensors --data own --broken skip
ok "1 of 4 test pictures skipped" "$program" eval --weights student.safetensors --data list.csv --broken skip

# names of classes from strangers: neither the terminal nor the file system obeys them
sed 's/hourglass/\\\\u001bxy/' student.safetensors > disguised.safetensors  # the escape character, twice quoted, in as many bytes
ok '\x1bxy' "$program" classify --weights disguised.safetensors --top 10 "$(head -1 pictures.txt)"
printf 'path,label\n%s,a/../../b\n' "$(head -1 pictures.txt)" > escape.csv
ok "elsewhere/000_a_.._.._b.png" "$program" samples --data escape.csv --output elsewhere

refused 2 "for training" "$program" train --model vit_nano_patch4_32 --data list.csv --output refused.safetensors
mkdir own/test/unicorn
refused 2 "not those of the model" "$program" eval --weights student.safetensors --data own

# the input tensor of pictures: a file that `forward` takes, by the settings of the weights or of a preset
ok "input [3, 3, 32, 32]" "$program" preprocess --weights student.safetensors $(cat pictures.txt) --output input.safetensors
ok "" "$program" forward --model mini_vit_nano_patch4_32 --weights student.safetensors --input input.safetensors --output out.safetensors
ok '"crop_pct":0.9,' "$program" preprocess --model deit_tiny_patch16_224 $(head -1 pictures.txt) --output input.safetensors
ok '"crop_pct":0.875,' "$program" preprocess --model mini_deit_tiny_patch16_224 $(head -1 pictures.txt) --output input.safetensors
ok '"crop_mode":"border"' "$program" preprocess --model deit_tiny_patch16_224 --crop-mode border --mean 0.5 0.5 0.5 $(head -1 pictures.txt) --output input.safetensors
refused 2 "no model is named" "$program" preprocess $(head -1 pictures.txt) --output input.safetensors
refused 2 "another model than --model" "$program" preprocess --model vit_nano_patch4_32 --weights student.safetensors $(head -1 pictures.txt) --output input.safetensors
refused 2 "does not say which model" "$program" preprocess --weights "$fixtures/deit_a.weights.safetensors" $(head -1 pictures.txt) --output input.safetensors
refused 2 "'std' is wrong" "$program" preprocess --model vit_nano_patch4_32 --std 0 1 1 $(head -1 pictures.txt) --output input.safetensors
refused 2 "--crop-mode" "$program" preprocess --model vit_nano_patch4_32 --crop-mode middle $(head -1 pictures.txt) --output input.safetensors
ok '"peak_gflops"' "$program" bench --model vit_nano_patch4_32 --repeats 2 --json --allow-debug
ok '"mode": "train"' "$program" bench --model vit_nano_patch4_32 --mode train --batch 8 --repeats 2 --json --allow-debug

# the other family
ok "12001765" "$program" models
ok "test accuracy" "$program" train --model swin_lite_patch2_window4_32 "${small[@]}" --layer-decay 0.9 --precision bf16 --epochs 1 --output swin.safetensors
ok '"swin_lite_patch2_window4_32"' "$program" inspect swin.safetensors --json
ok "test accuracy" "$program" distill --teacher swin.safetensors --model mini_swin_lite_patch2_window4_32 "${small[@]}" --precision bf16 --epochs 1 --output mini_swin.safetensors
ok '"accuracy"' "$program" eval --weights mini_swin.safetensors --data synthetic --count 50 --precision int8 --json
ok "%" "$program" classify --weights mini_swin.safetensors $(head -1 pictures.txt)
ok '"peak_gflops"' "$program" bench --model mini_swin_lite_patch2_window4_32 --repeats 2 --json --allow-debug
ok '"mode": "train"' "$program" bench --model mini_swin_lite_patch2_window4_32 --mode train --batch 8 --repeats 2 --json --allow-debug
ok "layers.0.blocks.0.attn.qkv.weight" "$program" inspect "$fixtures/swin_a.weights.safetensors"
# files of other projects
ok "PyTorch zip, entry 'model'" "$program" inspect "$fixtures/checkpoint_mini_deit_zip.pth"
ok '"container": "PyTorch legacy"' "$program" inspect "$fixtures/checkpoint_mini_swin_legacy.pth" --json
ok "51 tensors as they are" "$program" convert "$fixtures/checkpoint_mini_deit_zip.pth" student_of_mine.safetensors --as-is
ok "51 tensors, 19290 elements" "$program" inspect student_of_mine.safetensors
refused 2 "no preset has these tensors" "$program" convert "$fixtures/checkpoint_mini_deit_zip.pth" refused.safetensors
ok "vit_nano_patch4_32" "$program" convert teacher.safetensors again.safetensors
cmp teacher.safetensors again.safetensors || { echo "FAILED: convert changed a file of ours"; failed=1; }
ok "vit_nano_patch4_32" "$program" convert teacher.safetensors half.safetensors --bf16
[ "$(stat -c %s half.safetensors)" -lt 1420000 ] || { echo "FAILED: --bf16 did not halve the file"; failed=1; }
ok '"accuracy"' "$program" eval --weights half.safetensors --data synthetic --count 200 --json
refused 2 "--as-is" "$program" convert teacher.safetensors refused.safetensors --bf16 --as-is
refused 2 "config field 'sharing.repeat' differs" "$program" convert teacher.safetensors refused.safetensors --model mini_vit_nano_patch4_32
refused 1 "missing blocks.0.block.attn.qkv.weight" "$program" inspect teacher.safetensors --model mini_vit_nano_patch4_32
refused 2 "no dictionary 'ema' in the file: found 'model' (51 tensors)" "$program" inspect "$fixtures/checkpoint_mini_deit_zip.pth" --entry ema

refused 2 "no such pair" "$program" distill --teacher teacher.safetensors --model mini_swin_lite_patch2_window4_32 "${small[@]}" --epochs 1 --output refused.safetensors

# pictures of an analysis: those that are asked for, whole, and none when something is wrong
drawn() {  # drawn FILE...: whole SVG or PNG pictures
  local file
  for file in "$@"; do
    if [[ $file == *.svg ]]; then
      if command -v python3 > /dev/null; then python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$file"
      else [ "$(tail -1 "$file")" = "</svg>" ]; fi
    else
      [ "$(head -c 8 "$file" | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ]
    fi || { echo "FAILED: $file is no picture"; failed=1; }
  done
}
few=(--data synthetic --test-count 60 --count 20 --batch 16)
ok "gradient_norms.svg" "$program" analyse --weights student.safetensors --other teacher.safetensors "${few[@]}" --gradients --output analysis
drawn analysis/{confusion,cka,distance,gradient_norms}.svg analysis/attention_{disc,frame,plus}.png
ok '"attention_000_disc.png"' "$program" analyse --weights teacher.safetensors "${few[@]}" --image pictures/000_disc.png --output one_picture --json
drawn one_picture/attention_000_disc.png
[ ! -e one_picture/cka.svg ] || { echo "FAILED: layers compared with nothing"; failed=1; }
ok '"accuracy"' "$program" eval --weights student.safetensors --data synthetic --count 50 --confusion confusion.svg --json
drawn confusion.svg
ok "no distance.svg" "$program" analyse --weights mini_swin.safetensors --other teacher.safetensors "${few[@]}" --gradients --output swin_analysis
drawn swin_analysis/{confusion,cka,gradient_norms}.svg swin_analysis/attention_{disc,frame,plus}.png
refused 2 "folder does not exist" "$program" eval --weights student.safetensors --count 50 --confusion nowhere/confusion.svg
refused 2 "nothing.safetensors" "$program" analyse --weights student.safetensors --other nothing.safetensors "${few[@]}" --output refused
refused 2 "does not say which model" "$program" analyse --weights student.safetensors --other "$fixtures/deit_a.weights.safetensors" "${few[@]}" --output refused
refused 2 "not an image" "$program" analyse --weights student.safetensors "${few[@]}" --image pictures.txt --output refused
[ ! -e refused ] || { echo "FAILED: a refused analysis left a folder"; failed=1; }
[ "$("$program" analyse --weights student.safetensors --other nothing.safetensors "${few[@]}" --output refused 2>&1 | wc -l)" -eq 1 ] || { echo "FAILED: an error of more than one line"; failed=1; }

refused 2 "subcommand" "$program"
refused 2 "--model" "$program" bench
refused 2 "--precision" "$program" bench --model vit_nano_patch4_32 --precision f64
refused 2 "did you mean deit_tiny_patch16_224" "$program" bench --model deit_tny_patch16_224
refused 2 "No such file" "$program" inspect nothing.safetensors
refused 2 "pictures.txt" "$program" inspect pictures.txt
refused 2 "pictures.txt" "$program" classify --weights student.safetensors pictures.txt
refused 2 "does not say which model" "$program" classify --weights "$fixtures/deit_a.weights.safetensors" pictures.txt
refused 2 "'input'" "$program" forward --model vit_nano_patch4_32 --weights student.safetensors --input teacher.safetensors --output out.safetensors
refused 2 "wrong shape" "$program" forward --model vit_nano_patch4_32 --weights teacher.safetensors --input "$fixtures/deit_odd.expected.safetensors" --output out.safetensors
refused 2 "no such data set" "$program" eval --weights student.safetensors --data nowhere
refused 2 "pictures.txt" "$program" samples --output pictures.txt/below
if [ -w /dev/full ]; then  # results that cannot be printed are no fault of the input
  status=0
  "$program" models > /dev/full 2> full.err || status=$?
  [ "$status" -eq 1 ] && grep -q "No space left" full.err || { echo "FAILED: full output, exit $status: $(cat full.err)"; failed=1; }
fi
ok "" "$program" forward --model vit_nano_patch4_32 --weights teacher.safetensors --input "$fixtures/deit_a.expected.safetensors" --output out.safetensors
ok "logits" "$program" inspect out.safetensors
exit "$failed"
