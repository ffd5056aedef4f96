#!/usr/bin/env bash
# Builds both images and runs them, without any registry: on a Debian base that debootstrap makes from this machine's own
# mirror, with programs compiled here. Usage: test-images.sh [--no-build]   (takes programs of an earlier build)
#
# The worker is built twice: for the CPU, which drains a queue of the emulator, and for CUDA, which must refuse to start
# in one honest line, as there is no GPU here. Wants root, Debian, and 2 GB of disk; takes minutes, so it is no part of
# `make test`. Images and base stay, so that a second run is quick; `podman image rm` removes them.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
die() { printf 'test-images: %s\n' "$*" >&2; exit 1; }
say() { printf 'test-images: %s\n' "$*"; }

[ "$(id -u)" -eq 0 ] || die "building without a registry needs root (debootstrap, chroot)"
missing=()
for program in buildah podman runc debootstrap; do
    command -v "$program" >/dev/null || missing+=("$program")
done
[ ${#missing[@]} -eq 0 ] || die "missing: ${missing[*]}; install with: apt-get install --no-install-recommends" \
    "buildah podman runc debootstrap fuse-overlayfs"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The release of this machine: programs compiled here want its C library.
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
base=localhost/walkaround-base:$codename
if ! podman image exists "$base"; then
    # The dollar is for apt.
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
    [ -n "$mirror" ] || die "apt has no mirror configured"
    say "making $base"
    debootstrap --variant=minbase --include=ca-certificates "$codename" "$work/base" "$mirror" >"$work/debootstrap.log" \
        || { tail -n 5 "$work/debootstrap.log" >&2; die "debootstrap failed"; }
    # What slim images leave out.
    rm -rf "$work"/base/var/cache/apt/* "$work"/base/var/lib/apt/lists/* "$work"/base/var/log/* \
        "$work"/base/usr/share/{doc,man,info,locale}/*
    tar -C "$work/base" -c . | podman import - "$base" >/dev/null
fi

scripts/setup.sh build emulators gpu
# Nested containers: no namespaces of their own while building, and limits that every kernel grants.
flags=(-- --isolation chroot --ulimit nproc=32768:32768 --ulimit nofile=1024:1024)
build=(scripts/images.sh --engine buildah --from-host "$@" --base "$base" --prefix localhost/walkaround)
"${build[@]}" --tag test-cpu --device cpu functions worker "${flags[@]}"
"${build[@]}" --tag test-cuda --device cuda --no-build worker "${flags[@]}"

printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=32768:32768"]\n' >"$work/containers.conf"
CONTAINERS_CONF=$work/containers.conf PYTHONPATH=.tools/moto python3 scripts/run_images.py
