#!/usr/bin/env bash
# Runs the functions behind `cargo lambda watch` against ministack, hands each event of events/ to its function with
# `cargo lambda invoke`, shows the answers, then the records and alerts. Which function gets an event is read from the
# table of events/README.md. Fails when an answer is an error, or another than the table's. events/README.md has the same by hand.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
export PATH="$ROOT/.tools/cargo-lambda/bin:$PATH"
PROFILE=${WALKAROUND_INVOKE_PROFILE:-dev}
# Seconds until the stack stands (it draws photos), and until a function answers (it may be built first).
STACK_S=120
ANSWER_S=900

die() { printf 'invoke: %s\n' "$*" >&2; exit 1; }

work=$(mktemp -d)
stack_pid='' watch_pid=''
finish() {
    local status=$?
    exec 3>&- || true
    [ -z "$watch_pid" ] || kill -- "-$watch_pid" 2>/dev/null || true
    # It ends by itself when its standard input ends, and takes the emulator along.
    [ -z "$stack_pid" ] || wait "$stack_pid" || true
    [ "$status" -eq 0 ] || [ ! -s "$work/watch.log" ] || tail -n 40 "$work/watch.log" >&2
    rm -rf "$work"
}

trap finish EXIT

# Both builds first: afterwards nothing is waited for but answers.
cargo build --locked --quiet --package walkaround-tests --bin function-stack
cargo build --locked --quiet --profile "$PROFILE" --bin triage --bin scaler --bin notifier --bin monitor

mkfifo "$work/in"
"${CARGO_TARGET_DIR:-target}/debug/function-stack" "$work/env" <"$work/in" &
stack_pid=$!
exec 3>"$work/in"
for ((i = 0; i < STACK_S * 10; i++)); do
    [ ! -f "$work/env" ] || break
    kill -0 "$stack_pid" 2>/dev/null || die "the stack ended before it was ready (see above)"
    sleep 0.1
done
[ -f "$work/env" ] || die "the stack is not ready after $STACK_S s"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# A process group of its own, so that the functions end with it.
set -m
cargo lambda watch --ignore-changes --wait --timeout "$ANSWER_S" --profile "$PROFILE" \
    --invoke-port "$port" --invoke-address 127.0.0.1 --env-file "$work/env" >"$work/watch.log" 2>&1 3>&- &
watch_pid=$!
set +m
for ((i = 0; i < 300; i++)); do
    (exec 4<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    kill -0 "$watch_pid" 2>/dev/null || die "cargo lambda watch ended"
    sleep 0.1
done

# same JSON JSON: are these the same document?
same() { python3 -c 'import json, sys; a, b = map(json.loads, sys.argv[1:]); sys.exit(a != b)' "$1" "$2"; }

count=0
while read -r name function expected; do
    printf '\n%s <- events/%s.json\n' "$function" "$name"
    answer=$(cargo lambda invoke "$function" --invoke-port "$port" --invoke-address 127.0.0.1 \
        --data-file "events/$name.json" </dev/null) || die "events/$name.json: the function answered with an error"
    printf '%s\n' "$answer"
    same "$answer" "$expected" || die "events/$name.json: the answer differs from events/README.md, which says: $expected"
    count=$((count + 1))
done < <(sed -n 's/^| \[.\([a-z0-9-]*\).\][^|]*| \([a-z]*\) |.*| .\({.*}\). |$/\1 \2 \3/p' events/README.md)
[ "$count" -gt 0 ] || die "events/README.md names no event"

printf '\nWhat came out:\n'
echo >&3
exec 3>&-
wait "$stack_pid"
stack_pid=''
printf '\ninvoke: %s events, every one answered as events/README.md says\n' "$count"
