# Every command a person or CI runs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

ifneq ($(words $(CURDIR)),1)
$(error the checkout's path must not contain spaces: $(CURDIR))
endif

ENV ?= dev
CACHE := $(CURDIR)/.cache
VENV := $(CACHE)/venv
PYTHON := $(VENV)/bin/python
COLLECTION := collections/ansible_collections/dataplatform/aws
# One worker has all real hosts, the other one the rest (see tests/conftest.py): on two cores both end at about the same
# time. With a third, the rest would end early and the hosts late.
WORKERS := -n 2 --no-loadscope-reorder
export PATH := $(VENV)/bin:$(PATH)
export UV_CACHE_DIR := $(CACHE)/uv
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/collections
export ANSIBLE_HOME := $(CACHE)/ansible
export TF_PLUGIN_CACHE_DIR := $(CACHE)/terraform-plugins

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.ready ## install what is needed: Debian packages (as root) and a Python environment below .cache/

$(VENV)/.ready: requirements/dev.txt tools/setup.sh
	tools/setup.sh

.PHONY: rehearse
rehearse: setup ## build, configure and verify ENV on this machine (ENV=dev|ppd|prod, default dev)
	$(PYTHON) runner.py --env "$(ENV)" --rehearse --yes

.PHONY: destroy
destroy: setup ## end the rehearsal of ENV and leave nothing behind
	$(PYTHON) runner.py --env "$(ENV)" --rehearse destroy --yes

.PHONY: test
test: setup ## unit, integration, terraform, molecule and the end-to-end rehearsal
	$(PYTHON) -m pytest $(WORKERS) --durations 20 -m "not slow"

.PHONY: test-slow
test-slow: setup ## a rehearsal whose runs are killed and converge, whose pipelines are hurt, and whose Airflow is upgraded
	$(PYTHON) -m pytest -m "slow or converges"

.PHONY: test-fast
test-fast: setup ## only what needs neither root nor hosts
	$(PYTHON) -m pytest $(WORKERS) -m "not e2e and not molecule and not slow"

.PHONY: molecule
molecule: ## a role on a real host; run it as: python -m rehearsal exec -- make molecule SCENARIO=NAME
	cd $(COLLECTION) && molecule test $(if $(SCENARIO),--scenario-name "$(SCENARIO)",--all)

.PHONY: lint
lint: setup ## every linter
	tools/lint.sh

.PHONY: format
format: setup ## format Python and Terraform
	ruff format .
	ruff check --fix .
	terraform fmt -recursive terraform

.PHONY: bench
bench: setup ## ratios against the raw tools, measured in the same run
	$(PYTHON) -m benchmarks

.PHONY: lock
lock: ## resolve requirements/*.in into hash-locked requirements/*.txt
	tools/lock.sh
