#!/usr/bin/env bash
# Resolves requirements/*.in into hash-locked files without index addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
# name, and the oldest Python that installs it: hosts have Debian 13's
for pair in runtime:3.12 dev:3.12 checkov:3.12 flights:3.12 airflow:3.13; do
  name="${pair%:*}"
  options=()
  [ "$name" = flights ] && options=(--no-deps) # only its files are used
  UV_PYTHON_DOWNLOADS=never .cache/venv/bin/uv pip compile -q --python .cache/venv/bin/python --python-version "${pair#*:}" \
    --universal --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" "${options[@]}" \
    "requirements/$name.in" -o "requirements/$name.txt"
done
