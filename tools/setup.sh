#!/usr/bin/env bash
# Installs what a new machine lacks: Debian packages (when run as root on Debian), and a Python
# environment below .cache/venv from the hash-locked requirements. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
cache="$PWD/.cache"
mkdir -p "$cache" "$cache/terraform-plugins"

packages=(
  podman runc netavark conmon uidmap mmdebstrap  # hosts
  iptables nftables iproute2 procps util-linux dnsmasq-base  # their networks and names
  haproxy  # the balancer
  maven default-jre-headless  # NiFi is assembled from its Maven artifacts
  chromium libnss3-tools nodejs npm  # a user's browser
  openssh-client openssl git curl
  python3-venv  # for the project's own Python
)

have_packages() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || return 1
  done
}

missing_packages() {
  local name
  for name in "${packages[@]}"; do
    # a tool that came another way (a language image's own node or mvn) need not come twice
    case "$name" in
      maven) command -v mvn >/dev/null && continue ;;
      default-jre-headless) command -v java >/dev/null && continue ;;
      nodejs) command -v node >/dev/null && continue ;;
      npm) command -v npm >/dev/null && continue ;;
      python3-venv) find_python >/dev/null 2>&1 && continue ;;
    esac
    have_packages "$name" || printf '%s\n' "$name"
  done
}

policy=/usr/sbin/policy-rc.d
policy_mark="# dataplatform setup"

keep_services_off() {
  if [ ! -e "$policy" ]; then
    trap let_services_start EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy"
    chmod 0755 "$policy"
  fi
}

# Also what an earlier setup left behind that was killed.
let_services_start() {
  if grep -qsxF "$policy_mark" "$policy"; then
    rm -f "$policy" || true
  fi
}

install_packages() {
  command -v dpkg-query >/dev/null || {
    echo "setup: not a Debian machine: install the equivalents of: ${packages[*]}" >&2
    return 0
  }
  local missing
  mapfile -t missing < <(missing_packages)
  [ "${#missing[@]}" -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "setup: without root these packages are not installed (a rehearsal needs them): ${missing[*]}" >&2
    return 0
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # Services stay off: the rehearsal starts its own processes and ends them.
  local code=0
  keep_services_off
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$cache/apt.log" 2>&1 || code=$?
  let_services_start
  if [ "$code" -ne 0 ]; then
    echo "setup: apt-get failed ($code); the end of $cache/apt.log:" >&2
    tail -n 20 "$cache/apt.log" >&2
    return "$code"
  fi
}

find_python() {
  local candidate
  for candidate in python3.13 python3.12 python3.14 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python3 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  echo "setup: no Python 3.12 or newer found; install one (with its venv module) and put it on the PATH" >&2
  return 3
}

install_python() {
  if [ ! -x "$cache/venv/bin/uv" ]; then
    local python
    python="$(find_python)"
    "$python" -m venv "$cache/venv"
    "$cache/venv/bin/python" -m pip install -q --disable-pip-version-check uv
  fi
  UV_CACHE_DIR="$cache/uv" UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV="$cache/venv" \
    "$cache/venv/bin/uv" pip install -q --require-hashes -r requirements/dev.txt
}

check_terraform() {
  command -v terraform >/dev/null && return 0
  echo "setup: terraform (1.11.1 or newer) is not on the PATH: install it from its vendor before the first run" >&2
}

let_services_start
install_packages
install_python
check_terraform
# Without the packages (no root) the next make looks again.
if [ -z "$(missing_packages)" ] || ! command -v dpkg-query >/dev/null; then
  touch "$cache/venv/.ready"
fi
