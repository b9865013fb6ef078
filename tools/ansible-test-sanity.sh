#!/usr/bin/env bash
# Sanity tests of the collection, its documentation and its changelog: `ansible-test sanity`, `antsibull-docs` and `antsibull-changelog`.
# Arguments are passed on to ansible-test: `tools/ansible-test-sanity.sh --test validate-modules -v`.
#
# Works on a copy below .cache: ansible-test writes into the collection, and it wants the real path to end in
# ansible_collections/NAMESPACE/NAME, with the collections it depends on beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
root="$PWD"
bin="$root/.cache/venv/bin"
base="$root/.cache/ansible-test"
source="collections/ansible_collections/dataplatform/aws"
copy="$base/ansible_collections/dataplatform/aws"

command -v "$bin/shellcheck" shellcheck >/dev/null || { echo "no shellcheck: run 'make setup'" >&2; exit 1; } # it would pass hollowly

packages="$("$bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
python="$("$bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"

# What git knows or would add; no caches of other tools.
rm -rf "$base/ansible_collections"
mkdir -p "$copy" "$base/home/.ansible/test/cache"
git -C "$source" ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  if [ -e "$source/$file" ]; then printf '%s\0' "$file"; fi
done | tar -C "$source" --null --files-from=- -cf - | tar -C "$copy" -xf -
# Without a repository of its own ansible-test would ask the one around it, which ignores .cache.
git -C "$copy" init --quiet
ln -s "$packages/ansible_collections/amazon" "$base/ansible_collections/amazon"

# ansible-test downloads a script that installs pip. The interpreter brings pip along: this does the same without a download.
version="$(sed -n "s/^ *pip='\([0-9.]*\)',.*/\1/p" "$packages/ansible_test/_internal/python_requirements.py" | head -n 1)"
cat >"$base/home/.ansible/test/cache/get_pip_${version//./_}.py" <<'STANDIN'
import ensurepip
import os
import subprocess
import sys

environment = dict(os.environ)  # as it was: ensurepip switches pip's configuration files off
ensurepip.bootstrap()
arguments = [one for one in sys.argv[1:] if one not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *arguments], env=environment))
STANDIN

# A home of its own for its cache; no shims of version managers before the interpreter. A user's pip settings stay valid.
pip_config="${PIP_CONFIG_FILE:-}"
for file in "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf"; do
  if [ -z "$pip_config" ] && [ -e "$file" ]; then pip_config="$file"; fi
done
# antsibull-docs copies what git lists, and the repository around .cache lists nothing in it: git shall not look above.
settings=(HOME="$base/home" PATH="$bin:/usr/bin:/bin" ANSIBLE_COLLECTIONS_PATH="$base" GIT_CEILING_DIRECTORIES="$root/.cache")
[ -z "$pip_config" ] || settings+=(PIP_CONFIG_FILE="$pip_config")
within() { (cd "$copy" && env -u ANSIBLE_CONFIG -u ANSIBLE_HOME "${settings[@]}" nice "$@"); }

failed=0
within ansible-test sanity --local --python "$python" --color no "$@" || failed=1
within antsibull-docs lint-collection-docs --plugin-docs . || failed=1
within antsibull-changelog lint || failed=1
exit "$failed"
