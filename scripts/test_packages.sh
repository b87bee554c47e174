#!/usr/bin/env bash
# The Debian packages of test_packages.txt, those that are missing. The tests hold what Naru says against what these say.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
mapfile -t wanted < <(grep -v '^#' scripts/test_packages.txt)
missing=()
for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} = 0 ] || apt_install "the tests compare with other tools" "${missing[@]}"
