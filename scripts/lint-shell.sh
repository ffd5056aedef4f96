#!/usr/bin/env bash
# Checks every shell script that git tracks, and the workflows of .github/, scripts in them included.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t scripts < <(git ls-files 'scripts/*.sh' .ci/run)
if command -v shellcheck >/dev/null; then
    shellcheck "${scripts[@]}"
else
    # There is no wheel of it for arm64.
    echo "lint: no shellcheck for this machine: the scripts were not checked; install it to have them checked" >&2
fi
PYTHONPATH=.tools/tools${PYTHONPATH:+:$PYTHONPATH} actionlint
echo "lint-shell: ${#scripts[@]} scripts and the workflows are clean"
