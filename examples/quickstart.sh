#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# quickstart.sh [FOLDER]: installs missing packages, builds, and runs the main job: train a small teacher, distil it into a
# multiplexed student, compare, classify image files. On a bare Debian 12 as root or with sudo. Results go to FOLDER
# (default: minivit-quickstart in the current folder).
set -euo pipefail
if [ "${1:-}" = --help ]; then sed -n '3,5s/^# //p' "$0"; exit 0; fi
folder=$(realpath -m "${1:-minivit-quickstart}")
cd "$(dirname "$0")/.."

bash cmake/install_packages.sh
cmake --preset release
cmake --build --preset release --target quickstart
build/release/bin/quickstart "$folder"

echo
echo "Building the program minivit with all its models: about 20 minutes of processor time. Results are already in $folder;"
echo "after Ctrl-C, 'cmake --build --preset release --target minivit_cli' goes on."
cmake --build --preset release --target minivit_cli

echo
echo "The model in the box knows the ten classes of CIFAR-10 and takes pictures of any size. A test pattern of this project is to it:"
build/release/bin/minivit classify tests/fixtures/images/jpeg_large.jpg

cat <<EOF

What next:
  build/release/bin/minivit classify PHOTO.jpg      your own pictures
  build/release/bin/minivit models                  the models it knows
  build/release/bin/minivit train --help            train one on your own images
  docs/tutorials/from_zero.md                       from zero to your own classifier
EOF
