#!/usr/bin/env bash
# Lays out what an image adds to its base. Usage: image-tree.sh functions|worker-cuda|worker-cpu RELEASE_FOLDER OUT
#
#   usr/local/bin   the programs, without symbols
#   usr/local/lib   the ONNX Runtime library, where the programs look for it by themselves
#   etc/ssl/certs   the authorities that TLS trusts, unless this is Debian with them (a slim base has none)
#
# Runs in the build stage of the Containerfiles, and on the host for images of finished programs.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
what=$1 release=$2 out=$3
case "$what" in
    functions) programs=(triage scaler notifier monitor console) library=onnxruntime ;;
    worker-cpu) programs=(walkaround-worker) library=onnxruntime ;;
    worker-cuda) programs=(walkaround-worker) library=onnxruntime-gpu ;;
    *) echo "image-tree: no such image: $what (functions, worker-cuda, worker-cpu)" >&2; exit 2 ;;
esac

rm -rf "$out"
mkdir -p "$out/usr/local/bin" "$out/usr/local/lib" "$out/usr/local/share/doc/walkaround"
for program in "${programs[@]}"; do
    [ -f "$release/$program" ] || { echo "image-tree: no $release/$program: build it first" >&2; exit 1; }
    strip --strip-all -o "$out/usr/local/bin/$program" "$release/$program"
    chmod 0755 "$out/usr/local/bin/$program"
done
for file in "$ROOT/.tools/$library"/*.so; do
    [ -f "$file" ] || { echo "image-tree: no library in .tools/$library: run scripts/setup.sh" >&2; exit 1; }
    install -m 0755 "$file" "$out/usr/local/lib/"
done
install -m 0644 "$ROOT"/LICENSE-* "$out/usr/local/share/doc/walkaround/"
install -m 0644 "$ROOT/.tools/$library/LICENSE" "$out/usr/local/share/doc/walkaround/LICENSE-onnxruntime"
install -m 0644 "$ROOT/.tools/$library/ThirdPartyNotices.txt" \
    "$out/usr/local/share/doc/walkaround/NOTICES-onnxruntime.txt"
# In a build stage only: the authorities of somebody's machine have no place in an image.
if [ "$out" = /out ]; then
    install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$out/etc/ssl/certs/ca-certificates.crt"
fi
