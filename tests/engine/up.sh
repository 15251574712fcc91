#!/bin/bash
# up.sh WORKDIR CACHEDIR: a Docker engine of its own for the tests; prints DOCKER_HOST=… when it stands.
# Exit 77: it cannot stand here, and the last line of stderr says why. Nothing of the machine's
# network changes: no bridge, no iptables, own mount and process namespaces, own data root.
set -euo pipefail
work=${1:?} cache=${2:?} image=${PYTHON_IMAGE:-python:3.11-slim}
packages=(docker.io mmdebstrap ca-certificates curl mount)
skip() {
    [ ! -s "$work/unshare.pid" ] || kill -9 "$(cat "$work/unshare.pid")" 2>/dev/null || true
    echo "no Docker engine here: $*" >&2
    exit 77
}
[ "$(id -u)" = 0 ] || skip "not root"
mkdir -p "$work" "$cache" /etc/docker
cd "$work"
. /etc/os-release
export DEBIAN_FRONTEND=noninteractive
missing=
for tool in dockerd mmdebstrap curl unshare; do
    # One by one: given several names, `command -v` is content with any of them.
    command -v "$tool" >/dev/null || missing=1
done
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || skip "no apt-get to install dockerd and mmdebstrap with"
    # The packaged service must not start: it would change the machine's network.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get update -qq -o DPkg::Lock::Timeout=300 >apt.log 2>&1 || skip "apt-get update failed"
    apt-get install -y -qq --no-upgrade --no-install-recommends -o DPkg::Lock::Timeout=300 \
        "${packages[@]}" >>apt.log 2>&1 || skip "apt-get install: $(tail -1 apt.log)"
fi

# The base image is made from this machine's own Debian; no registry is asked.
base=$cache/python-${VERSION_CODENAME:?}.tar
if [ ! -s "$base" ]; then
    sources=/etc/apt/sources.list.d/debian.sources
    [ -e $sources ] || sources=/etc/apt/sources.list
    mmdebstrap --quiet --variant=extract --format=tar \
        --include=base-files,base-passwd,bash,dash,coreutils,login,passwd,sed,grep,findutils,tar,gzip,debianutils,python3,python3-pip,python3-venv,ca-certificates \
        --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --extract-hook='cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
            cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"' \
        --extract-hook='mkdir -p "$1/tmp" "$1/etc/ssl/certs" "$1/usr/local/bin"
            chmod 1777 "$1/tmp"
            cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"' \
        --extract-hook='python=$(basename "$(readlink "$1/usr/bin/python3")")
            ln -sf "/usr/bin/$python" "$1/usr/local/bin/python"
            ln -sf /usr/bin/pip3 "$1/usr/local/bin/pip"
            rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED
            printf "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n" >"$1/etc/pip.conf"' \
        --extract-hook='rm -f "$1/etc/resolv.conf" "$1/etc/hostname"' \
        "$VERSION_CODENAME" "$base.part" "$sources" >base.log 2>&1 || skip "mmdebstrap: $(tail -1 base.log)"
    mv "$base.part" "$base"
fi

setsid unshare -m -p -f --kill-child --mount-proc sh -c '
    mkdir -p "$0/etc-docker" && mount --bind "$0/etc-docker" /etc/docker && exec dockerd \
        -H "unix://$0/docker.sock" --data-root "$0/data" --exec-root "$0/exec" \
        --pidfile "$0/dockerd.pid" --containerd-namespace tests --containerd-plugins-namespace tests-plugins \
        --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false' \
    "$work" >dockerd.log 2>&1 &
echo $! >unshare.pid
for attempt in $(seq 150); do
    curl -fs --unix-socket docker.sock http://engine/_ping >/dev/null 2>&1 && break
    kill -0 "$(cat unshare.pid)" 2>/dev/null || skip "dockerd: $(tail -1 dockerd.log)"
    [ "$attempt" -lt 150 ] || skip "dockerd does not answer: $(tail -1 dockerd.log)"
    sleep 0.2
done
changes='changes=ENV%20PATH%3D%2Fusr%2Flocal%2Fbin%3A%2Fusr%2Flocal%2Fsbin%3A%2Fusr%2Fsbin%3A%2Fusr%2Fbin%3A%2Fsbin%3A%2Fbin&changes=CMD%20%5B%22python%22%5D'
curl -fsS --unix-socket docker.sock -X POST -H 'Content-Type: application/x-tar' -T "$base" \
    "http://engine/images/create?fromSrc=-&repo=${image%:*}&tag=${image#*:}&$changes" >import.log ||
    skip "the base image could not be imported: $(tail -1 import.log)"
echo "DOCKER_HOST=unix://$work/docker.sock"
