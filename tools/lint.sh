#!/usr/bin/env bash
# Every linter, each with a heading; all run, and the code is 1 if any found something.
# `tools/lint.sh ruff terraform` runs only the named ones.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.cache/venv/bin:$PATH"
export ANSIBLE_COLLECTIONS_PATH="$PWD/collections" ANSIBLE_HOME="$PWD/.cache/ansible"
cache="$PWD/.cache"
failed=()
# Terraform warns at every call when this names a file that is not there.
[ -e "${TF_CLI_CONFIG_FILE:-/}" ] || unset TF_CLI_CONFIG_FILE

lint_ruff() { ruff check . && ruff format --check .; }
lint_mypy() { mypy; }
lint_yamllint() { yamllint --strict .; }
lint_ansible() { ANSIBLE_CONFIG="$PWD/ansible/ansible.cfg" ansible-lint --offline --profile production ansible collections inventories; }
lint_sanity() { tools/ansible-test-sanity.sh; }
lint_shellcheck() { git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck --exclude=SC1091; } # sourced files are checked by themselves

lint_terraform() {
  terraform fmt -check -recursive -diff terraform
  local folder
  for folder in terraform/bootstrap terraform/environments/dev; do
    # `validate` alone needs no backend and no account
    TF_DATA_DIR="$cache/lint/${folder//\//-}" terraform -chdir="$folder" init -backend=false -input=false "${plugin_dir[@]}" >/dev/null
    TF_DATA_DIR="$cache/lint/${folder//\//-}" terraform -chdir="$folder" validate
  done
}

lint_checkov() {
  if [ ! -x "$cache/checkov/bin/checkov" ]; then
    uv venv -q --python "$cache/venv/bin/python" "$cache/checkov"
    UV_CACHE_DIR="$cache/uv" VIRTUAL_ENV="$cache/checkov" uv pip install -q --require-hashes -r requirements/checkov.txt
  fi
  "$cache/checkov/bin/checkov" --directory terraform --framework terraform --quiet --compact --skip-download \
    --skip-path '/tests/' --skip-path '/examples/'
}

lint_workflows() { zizmor --offline --quiet .github/workflows; run_go_tool actionlint github.com/rhysd/actionlint/cmd/actionlint@v1.7.12; }
lint_gitleaks() { run_go_tool gitleaks github.com/zricethezav/gitleaks/v8@v8.28.0 git --no-banner --redact .; }

# run_go_tool NAME MODULE ARGS…: a linter written in Go, built once below .cache; skipped where there is no Go.
run_go_tool() {
  local name="$1" module="$2"
  shift 2
  if [ ! -x "$cache/go/bin/$name" ]; then
    command -v go >/dev/null || { echo "skipped: $name needs go to be built"; return 0; }
    GOBIN="$cache/go/bin" GOPATH="$cache/go/path" GOFLAGS=-modcacherw go install "$module"
  fi
  "$cache/go/bin/$name" "$@"
}

# The provider comes from the registry, or from a mirror folder where that can't be reached.
plugin_dir=()
for mirror in "${TF_PLUGIN_MIRROR:-}" /opt/*/; do
  [ -d "${mirror:-/nonexistent}/registry.terraform.io" ] && plugin_dir=(-plugin-dir="${mirror%/}")
done

names=("$@")
[ "${#names[@]}" -gt 0 ] || names=(ruff mypy yamllint ansible shellcheck terraform workflows gitleaks checkov sanity)
for name in "${names[@]}"; do
  echo "== $name"
  # a subshell with -e of its own: `if` would switch -e off inside the function
  set +e
  (set -e; "lint_$name")
  code=$?
  set -e
  [ "$code" -eq 0 ] || failed+=("$name")
done
if [ "${#failed[@]}" -gt 0 ]; then
  echo "lint: found something: ${failed[*]}" >&2
  exit 1
fi
echo "lint: clean (${names[*]})"
