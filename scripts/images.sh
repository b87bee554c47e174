#!/usr/bin/env bash
# The example's three images, built once: naru/web, naru/was and naru/db on naru/base.
# naru/base is debian:bookworm-slim where a registry is in reach, else a minimal Debian made from this machine's apt sources.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
have() { docker image inspect "$1" >/dev/null 2>&1; }
command -v docker >/dev/null || apt_install "the docker command is missing" docker-cli

base() {
    have naru/base && return
    if timeout 30 docker pull -q debian:bookworm-slim >/dev/null 2>&1; then
        docker tag debian:bookworm-slim naru/base
        return
    fi
    command -v mmdebstrap >/dev/null || apt_install "no container registry in reach, so a base image is made of Debian packages" mmdebstrap
    say "making the base image from Debian packages (about a minute)"
    # shellcheck disable=SC1091
    local suite; suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    local mirror; mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' | grep -m1 -E '/(debian|ubuntu)/?$' || true)
    # In a mount namespace of its own: in a chroot it makes our root private, and what is mounted later no engine would see.
    as_root unshare --mount mmdebstrap --quiet --variant=minbase "$suite" - ${mirror:+"$mirror"} 2>/dev/null | docker import - naru/base >/dev/null
}

base
for name in web was db; do
    tag=naru/$name:1
    have "$tag" && continue
    say "building $tag"
    log=$(mktemp)
    DOCKER_BUILDKIT=0 docker build -q --network host --build-arg BASE=naru/base -t "$tag" "images/$name" >"$log" 2>&1 ||
        { tail -n 30 "$log" >&2; fail "docker could not build $tag"; }
    rm -f "$log"
done
