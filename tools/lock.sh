#!/usr/bin/env bash
# Resolves requirements/*.in into hash-locked files without index addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
for name in runtime dev checkov; do
  UV_PYTHON_DOWNLOADS=never .cache/venv/bin/uv pip compile -q --python .cache/venv/bin/python --python-version 3.12 \
    --universal --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
    "requirements/$name.in" -o "requirements/$name.txt"
done
