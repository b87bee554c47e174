#!/usr/bin/env bash
# The virtual environment with the package in it: setup.sh [VENV]. Quick when nothing has changed since the last time.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
venv=${1:-.venv}
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed; $("$python" --version) is here"
stamp=$venv/.naru-installed
want=$(cat pyproject.toml constraints.txt | sha256sum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0
if [ ! -x "$venv/bin/pip" ]; then
    "$python" -c 'import ensurepip' 2>/dev/null || apt_install "Python's venv module is missing" python3-venv
    say "making a virtual environment in $venv"
    "$python" -m venv "$venv"
fi
say "installing the package and what it needs"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$venv/bin/pip" install -q --disable-pip-version-check -c constraints.txt -e '.[dev]' >"$log" 2>&1 ||
    { tail -n 30 "$log" >&2; fail "pip could not install the package"; }
echo "$want" > "$stamp"
