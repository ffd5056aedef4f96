#!/usr/bin/env bash
# Builds the two container images. Usage: images.sh [OPTIONS] [functions] [worker] [-- FLAGS OF THE BUILDER]
#
#   --tag TAG          version of both (default: what git describes); `latest` is refused
#   --device cuda|cpu  which ONNX Runtime the worker gets (default cuda)
#   --prefix NAME      what goes before /functions and /worker in the images' names (default walkaround)
#   --engine NAME      docker, podman or buildah (default: the first of them that works here)
#   --base IMAGE       what the images run on, in place of the base that their Containerfile names
#   --build-base IMAGE what they are compiled on
#   --from-host        compiles here instead of in a build stage: fewer downloads, but this machine's C library must
#                      not be newer than the base's. With --no-build too, programs of an earlier build are taken
#   --which            only prints the engine
#
# Ends by printing the name and size of each image.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

die() { printf 'images: %s\n' "$*" >&2; exit 2; }
say() { printf 'images: %s\n' "$*"; }

tag='' device=cuda prefix=walkaround engine='' base='' build_base='' from_host='' build=yes which=''
wanted=() flags=()
while [ $# -gt 0 ]; do
    case "$1" in
        --tag) tag=${2:?}; shift ;;
        --device) device=${2:?}; shift ;;
        --prefix) prefix=${2:?}; shift ;;
        --engine) engine=${2:?}; shift ;;
        --base) base=${2:?}; shift ;;
        --build-base) build_base=${2:?}; shift ;;
        --from-host) from_host=yes ;;
        --no-build) build='' ;;
        --which) which=yes ;;
        functions | worker) wanted+=("$1") ;;
        --) shift; flags=("$@"); break ;;
        *) die "no such option: $1" ;;
    esac
    shift
done
[ ${#wanted[@]} -gt 0 ] || wanted=(functions worker)
find_engine() {
    # docker without its daemon is a client only.
    if command -v docker >/dev/null && docker info >/dev/null 2>&1; then echo docker
    elif command -v podman >/dev/null; then echo podman
    elif command -v buildah >/dev/null; then echo buildah
    else die "no working docker, podman or buildah: install one"; fi
}
[ -n "$engine" ] || engine=$(find_engine)
if [ -n "$which" ]; then echo "$engine"; exit 0; fi
case "$device" in cuda | cpu) ;; *) die "no such device: $device (cuda, cpu)" ;; esac
[ -n "$tag" ] || tag=$(git describe --tags --always --dirty)
[ "$tag" != latest ] || die "\`latest\` names no version: give one with --tag"
[[ "$tag" =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || die "\`$tag\` cannot be the tag of an image"

# Lambda takes no image with attestations beside it, which buildx adds unasked.
export BUILDX_NO_DEFAULT_ATTESTATIONS=1

revision=$(git rev-parse HEAD)

# packages IMAGE: what is compiled for it.
packages() {
    case "$1" in
        functions) echo "--package walkaround-triage --package walkaround-scaler --package walkaround-notifier --package walkaround-monitor --package walkaround-console" ;;
        worker) echo "--package walkaround-gpu-batch" ;;
    esac
}

# lay_out IMAGE FOLDER: the finished tree, of programs compiled here.
lay_out() {
    local what=$1
    if [ -n "$build" ]; then
        scripts/setup.sh build console
        # Words, not one argument.
        # shellcheck disable=SC2046
        cargo build --release --locked $(packages "$what")
    fi
    if [ "$what" = worker ]; then
        what=worker-$device
        [ "$device" = cpu ] || scripts/setup.sh build gpu
    fi
    scripts/image-tree.sh "$what" "${CARGO_TARGET_DIR:-target}/release" "$2"
}

build_one() {
    local what=$1 name="$prefix/$1:$tag" context=. containerfile
    case "$what" in functions) containerfile=functions/Containerfile ;; worker) containerfile=gpu-batch/Containerfile ;; esac
    local arguments=(--file "$containerfile" --tag "$name" --build-arg "VERSION=$tag" --build-arg "REVISION=$revision")
    [ "$what" = functions ] || arguments+=(--build-arg "DEVICE=$device")
    [ -z "$base" ] || arguments+=(--build-arg "BASE=$base")
    [ -z "$build_base" ] || arguments+=(--build-arg "BUILD_BASE=$build_base")
    if [ -n "$from_host" ]; then
        context=out/images/$what
        lay_out "$what" "$context"
        arguments+=(--build-arg BINARIES=host)
    else
        # What the functions and the GPU instances of infra/ are, whatever this machine is.
        arguments+=(--platform linux/amd64)
    fi
    say "building $name with $engine"
    "$engine" build "${arguments[@]}" "${flags[@]}" "$context"
}

# size IMAGE: as the image lies unpacked.
size() {
    local bytes
    if [ "$engine" = buildah ]; then buildah images --format '{{.Size}}' "$1"; return; fi
    bytes=$("$engine" image inspect --format '{{.Size}}' "$1")
    echo "$((bytes / 1000000)) MB"
}

for what in "${wanted[@]}"; do build_one "$what"; done
for what in "${wanted[@]}"; do say "$prefix/$what:$tag is $(size "$prefix/$what:$tag")"; done
