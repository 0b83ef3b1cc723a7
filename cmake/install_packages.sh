#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install_packages.sh [--clang] [--docs]: installs what a build of everything needs, as far as it is missing; --docs: also what checks and
# makes the documentation's site. Debian 12 (and relatives with apt-get), as root or with sudo. On other systems it names the packages and
# goes on: CMake says what it does not find.
set -euo pipefail

packages=(g++ cmake ninja-build ccache libxsimd-dev libtbb-dev librange-v3-dev libstb-dev libjpeg62-turbo-dev libpng-dev
          nlohmann-json3-dev libcli11-dev libfmt-dev catch2 libbenchmark-dev)
for option in "$@"; do
  case $option in
    --clang) packages+=(clang-19) ;;
    --docs) packages+=(doxygen) ;;
    *) echo "usage: install_packages.sh [--clang] [--docs]" >&2; exit 2 ;;
  esac
done

if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null; then
  echo "No apt-get here. Needed, by their Debian names: ${packages[*]}" >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo > /dev/null; then
    echo "These packages are missing, and this is neither root nor is there sudo: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
