#!/usr/bin/env bash
# See to a Docker Engine: one that answers is left as it is; else docker.io is installed and the daemon started.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
socket=/var/run/docker.sock
log=/var/log/naru-dockerd.log

answers() { .venv/bin/python - <<'P' 2>/dev/null
import docker
docker.APIClient(timeout=5).ping()
P
}
tools() { # what the agent's network and the engine's commands need beside the engine
    command -v nft >/dev/null || apt_install "nft is missing (Service rules)" nftables
}
answers && { tools; exit 0; }

if ! command -v dockerd >/dev/null; then
    packages=(docker.io iptables nftables)
    command -v apt-get >/dev/null || fail "no Docker Engine answers: please install one (for Debian and Ubuntu: apt-get install docker.io) and start it"
    as_root apt-get update -qq >/dev/null 2>&1 || true
    apt-cache show docker-cli >/dev/null 2>&1 && packages+=(docker-cli)
    apt_install "no Docker Engine answers" "${packages[@]}"
fi
tools
if [ -d /run/systemd/system ]; then
    as_root systemctl start docker || fail "the Docker Engine does not start: see journalctl -u docker"
else
    # What a killed daemon leaves: pid files of processes that are gone (or dead and not yet reaped), a socket without a listener.
    runs() { grep -qE '^Name:.*(dockerd|containerd)' "/proc/$1/status" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$1/status"; }
    for pidfile in /var/run/docker.pid /run/docker/containerd/containerd.pid; do
        if [ -s "$pidfile" ] && ! runs "$(cat "$pidfile")"; then as_root rm -f "$pidfile"; fi
    done
    if [ -s /var/run/docker.pid ]; then
        say "a Docker daemon (process $(cat /var/run/docker.pid)) is starting or hangs; waiting for it"
    else
        as_root rm -f "$socket"
        say "starting dockerd (log: $log)"
        as_root sh -c "setsid nohup .venv/bin/python scripts/rooted.py dockerd >>'$log' 2>&1 </dev/null &"
    fi
fi
for _ in $(seq 1 120); do answers && exit 0; sleep 0.25; done
fail "the Docker Engine does not answer after 30 s: see $log"
