#!/bin/bash
# down.sh WORKDIR: end the engine that up.sh started there, with all its containers.
work=${1:?}
cd "$work" 2>/dev/null || exit 0
# unshare ignores SIGTERM; SIGKILL on it takes dockerd, containerd, shims and containers along.
[ ! -s unshare.pid ] || kill -9 "$(cat unshare.pid)" 2>/dev/null
for _ in $(seq 50); do
    pgrep -f -- "--data-root $work/data" >/dev/null || break
    sleep 0.1
done
cd /
for _ in $(seq 20); do
    rm -rf "$work" 2>/dev/null && exit 0
    sleep 0.2
done
exit 1
