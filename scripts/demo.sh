#!/usr/bin/env bash
# The demonstration: photos through the whole pipeline on this machine, no account, nothing left running.
# Usage: demo.sh PROGRAM BUNDLE OUT [PHOTOS]; without PHOTOS it draws its own, whose damage is known. With OPEN=1 the pipeline is
# left running at the end, with walkarounds of two vehicles to look at in the console.
set -euo pipefail

program=$1 bundle=$2 out=$3 photos=${4:-}
stack=$out/stack
listen=${WALKAROUND_LISTEN:-127.0.0.1:8377}
[ "${OPEN:-}" = 1 ] || listen=''
export WALKAROUND_BUNDLE=$bundle WALKAROUND_ROOT=$stack WALKAROUND_LISTEN=$listen WALKAROUND_LOG=${WALKAROUND_LOG:-warn}
# Two dozen photos are no burst by a fleet's standards: these bounds let a few of them start the GPU lane
# (played by worker processes on the CPU), so that both lanes are seen at work. The queue is read for every photo: the
# burst may be over before an older reading would be renewed.
export WALKAROUND_TRIAGE_IN_FLIGHT=2 WALKAROUND_INLINE_DRAIN_S=0.02 WALKAROUND_COLD_START_S=1 WALKAROUND_SCALE_EVERY_S=0.5 WALKAROUND_LANE_CACHE_S=0

rm -rf "$stack"
drawn=
if [ -z "$photos" ]; then
    drawn=yes
    photos=$out/photos
    rm -rf "$photos"
    "$program" samples "$photos" --count 24
fi

echo
echo "== the pipeline: submit, triage, both lanes, results"
"$program" up &
up=$!
trap 'kill "$up" 2>/dev/null || true; wait "$up" 2>/dev/null || true' EXIT
if [ -n "$drawn" ]; then
    # A trickle stays on the inline lane; the burst behind it is worth a worker.
    "$program" submit "$photos"/sample-000[1-3]*.jpg --rate 2 --wait --timeout 600
fi
"$program" submit "$photos" --wait --timeout 600
"$program" status

echo
echo "== the same photos by \`walkaround inspect\`, for the gallery"
"$program" inspect "$photos" --bundle "$bundle" --out "$out/results"

if [ -n "$drawn" ]; then
    echo
    echo "== the damage is known: scores of the demonstration bundle on these drawn samples"
    "$program" evaluate "$photos" --bundle "$bundle" --out "$out/score"
fi

echo
id=$("$program" list --limit 1000 --format json | python3 -c 'import json,sys; print(json.loads(sys.stdin.readline())["inspection_id"])')
echo "one record: $program show $id --root $stack"
"$program" show "$id"
echo
echo "gallery: $(cd "$out/results" && pwd)/index.html"
if [ "${OPEN:-}" = 1 ]; then
    echo
    echo "== for the console: pick-up and return of three reservations"
    rm -rf "$out/walkarounds"
    "$program" samples "$out/walkarounds" --walkarounds >/dev/null
    "$program" submit "$out/walkarounds/walkarounds.csv" --wait --timeout 600
    echo "console: http://$listen/console/ (Ctrl-C ends it)"
    wait "$up"
else
    echo "console: make demo OPEN=1 leaves the pipeline running at http://127.0.0.1:8377/console/"
fi
