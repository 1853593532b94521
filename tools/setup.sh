#!/bin/sh
# Finds a Python and hands over to tools/setup.py:  sh tools/setup.sh demo|check|test
# The environment that is already there wins; PYTHON=python3.13 asks for another one.
set -eu
cd "$(dirname "$0")/.."

recent='import sys; sys.exit(sys.version_info < (3, 11))'

if [ -n "${PYTHON:-}" ]; then
    if ! command -v "$PYTHON" >/dev/null 2>&1 || ! "$PYTHON" -c '' >/dev/null 2>&1; then
        echo "PYTHON=$PYTHON does not run. Name a Python 3.11 or later, for example: make PYTHON=python3.13 demo" >&2
        exit 1
    fi
    if ! "$PYTHON" -c "$recent"; then
        echo "PYTHON=$PYTHON is $("$PYTHON" --version 2>&1); the hub needs Python 3.11 or later." >&2
        exit 1
    fi
    exec "$PYTHON" -m tools.setup --this-python "$@"
fi

for candidate in .venv/bin/python python3 python3.14 python3.13 python3.12 python3.11 python; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$recent" >/dev/null 2>&1; then
        exec "$candidate" -m tools.setup "$@"
    fi
done
echo "No Python 3.11 or later was found (python3 here is: $(python3 --version 2>&1 || true))." >&2
echo "Install one, or name it: make PYTHON=/path/to/python3.12 demo" >&2
exit 1
