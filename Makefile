# Every target sets itself up from the lock files; nothing needs to be installed or activated beforehand.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PYTHON ?= python3
BIN    := .venv/bin
LOCK   := --quiet --generate-hashes --no-header --no-annotate --native-tls
PY     := core providers handlers drills tests

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

drill: setup ## Take the active one of three local clouds away under load, and check every upload (exit status is the verdict)
	@$(BIN)/python -m drills.failover

upload-drill: setup ## Put real files into the buckets of three local clouds and check every record (exit status is the verdict)
	@$(BIN)/python -m drills

# Of tests/e2e and tests/drills those that start no local clouds, and compute more than they wait.
BUSY := tests/e2e/test_embedded_store.py tests/e2e/test_api_openapi.py tests/drills/failover/test_html_report_in_browser.py

# The tests with local clouds mostly wait, so that the others have the second core; their output follows at the end.
test: setup dns ## Run all tests
	@$(MAKE) --no-print-directory test-beside > build/test-beside.log 2>&1 & beside=$$!; \
	trap "kill $$beside; exit 130" INT TERM; \
	$(BIN)/pytest tests/e2e tests/drills $(BUSY:%=--ignore=%); clouds=$$?; \
	node --test plugins/test/*.test.js; plugins=$$?; \
	wait $$beside; beside=$$?; cat build/test-beside.log; exit $$((clouds || plugins || beside))

test-beside: setup dns
	$(BIN)/pytest --ignore=tests/e2e --ignore=tests/drills
	$(BIN)/pytest $(BUSY)
	.venv-dns/bin/pytest tests/dns

check: setup lint template test ## Format, lint, types, deployment template, all tests: what CI runs

lint: setup ## Format, lint and types, without changing anything
	$(BIN)/ruff format --check $(PY)
	$(BIN)/ruff check $(PY)
	$(BIN)/mypy

format: setup ## Format the Python code
	$(BIN)/ruff format $(PY)
	$(BIN)/ruff check --fix $(PY)

template: setup .venv-checkov/.done ## Package for AWS and judge the CloudFormation template with cfn-lint and checkov
	node_modules/.bin/sls package --cloud aws
	$(BIN)/cfn-lint --config-file providers/aws/.cfnlintrc .serverless/cloudformation-template-update-stack.json
	.venv-checkov/bin/checkov --config-file providers/aws/.checkov.yml --file .serverless/cloudformation-template-update-stack.json

drills: setup ## Run every failover drill on local clouds (exit status is the verdict)
	@$(BIN)/python -m drills.failover --all

outages: setup ## Break each part of each of three local clouds in turn, while a client uploads (CI breaks each part of one)
	SLUICE_ALL_OUTAGES=1 $(BIN)/pytest -q tests/e2e/test_outages.py

bench: setup ## Compare cold start, warm time and memory on each local cloud with the tutorials' handlers (AWS: also Powertools)
	$(BIN)/python -m drills.bench

simulate: setup ## Run three clouds through seeded schedules of faults: SEEDS=20000, or one with its trace: SEED=123
	@$(BIN)/python -m tests.simulation.clouds.simulate $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),10000))

setup: .venv/.done node_modules/.done build/wheels/.done ## Install what the lock files pin (does nothing when nothing changed)

.venv/.done: requirements.lock requirements-azure-runtime.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sluice needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --require-hashes --no-deps --ignore-requires-python --requirement requirements-azure-runtime.lock
	@touch $@

.venv-checkov/.done: requirements-checkov.lock
	$(PYTHON) -m venv --clear .venv-checkov
	.venv-checkov/bin/pip install --quiet --require-hashes --requirement requirements-checkov.lock
	@touch $@

dns: .venv-dns/.done ## Install what `npx sls failover dns` needs

.venv-dns/.done: requirements-dns.lock
	$(PYTHON) -m venv --clear .venv-dns
	.venv-dns/bin/pip install --quiet --require-hashes --requirement requirements-dns.lock
	@touch $@

node_modules/.done: package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Wheels for the cloud's machines: packaging then needs no network and gives the same bytes everywhere.
build/wheels/.done: providers/aws/requirements.lock .venv/.done
	rm -rf build/wheels/aws
	$(BIN)/pip download --quiet --dest build/wheels/aws --no-deps --require-hashes --only-binary=:all: \
	  --platform manylinux2014_x86_64 --python-version 3.13 --implementation cp --requirement $<
	@touch $@

lock: .venv/.done ## Pin the newest versions that requirements*.txt and package.json allow
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile $(LOCK) --upgrade --universal --python-version 3.11 -o requirements.lock requirements.txt
	$(BIN)/uv pip compile $(LOCK) --upgrade --universal --python-version 3.11 -o requirements-checkov.lock requirements-checkov.txt
	$(BIN)/uv pip compile $(LOCK) --upgrade --universal --python-version 3.11 -o requirements-dns.lock requirements-dns.txt
	$(BIN)/uv pip compile $(LOCK) --upgrade --no-deps --python-version 3.13 -o requirements-azure-runtime.lock requirements-azure-runtime.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.13 --constraint requirements.lock \
	  -o providers/aws/requirements.lock providers/aws/requirements.txt
	for cloud in gcp azure; do $(BIN)/uv pip compile $(LOCK) --python-version 3.13 --python-platform x86_64-manylinux2014 \
	  --constraint requirements.lock -o providers/$$cloud/requirements.lock providers/$$cloud/requirements.txt || exit 1; done
	npm update --package-lock-only

.PHONY: help drill upload-drill test test-beside check lint format template bench drills outages simulate setup dns lock
