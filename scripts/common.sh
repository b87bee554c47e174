# Shared by the set-up scripts: `say` one line, `apt_install` packages by name, root or sudo.
say() { printf 'naru: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_install() { # REASON PACKAGE...
    local reason=$1; shift
    command -v apt-get >/dev/null || fail "$reason: please install $* (no apt-get here to do it)"
    say "$reason: installing $*"
    local log; log=$(mktemp)
    if ! { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2; rm -f "$log"; fail "apt-get could not install $*"
    fi
    rm -f "$log"
}
