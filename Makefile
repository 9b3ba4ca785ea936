# `make up` is all that is needed to see dcron work; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
TOOLS := .tools
STAMPS := $(TOOLS)/stamps
UV := UV_PYTHON_DOWNLOADS=never $(TOOLS)/uv/bin/uv
BIN := .venv/bin
WEB := services/web
PAGE := services/master/dcron_master/page
WEB_SOURCES := $(shell test -f $(WEB)/package.json && find $(WEB) -type f -not -path '*/node_modules/*' \
	-not -path '*/api-documents/*' -not -path '*/generated/*' -not -path '*/e2e/*' -not -path '*/bench/*' -not -path '*/screenshots/*' -not -name '*.tsbuildinfo')
API_SOURCES := $(shell find schemas/dcron_schemas services/core services/master services/log-ingester -name '*.py')

say = @printf '==> %s\n' $(1)

##@ See it work
.PHONY: up demo
up: setup ## Set up what is missing, then run everything on this machine; Ctrl-C stops it (UP="--workers 3" adds flags)
	@exec $(BIN)/dcron up $(UP)

demo: setup ## The same, with a handful of example jobs
	@exec $(BIN)/dcron up --demo $(UP)

##@ Work on it
.PHONY: setup python etcd chromium staging web check test robustness bench screenshots audit lock clean help
setup: python etcd $(STAMPS)/mongodb $(STAMPS)/kafka $(STAMPS)/kafka-archive web ## Set up what is missing, all inside this folder (etcd: from Debian's packages)

check: python $(if $(wildcard $(WEB)/node_modules),$(STAMPS)/api-types) ## Format, lint, types, import contracts, schema drift: under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python schemas/generate.py --check
	@if [ -d $(WEB)/node_modules ]; then npm --prefix $(WEB) run --silent check; fi

test: setup chromium staging ## All tests, against the real servers (ARGS="-k name" chooses)
	$(BIN)/pytest -m "not robustness" $(ARGS)
	@if [ -d $(WEB)/node_modules ]; then npm --prefix $(WEB) test --silent; fi

robustness: setup ## The long fault runs
	$(BIN)/pytest -m robustness $(ARGS)

bench: setup ## All benchmarks, or one: make bench ONLY=name
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

screenshots: setup chromium ## Pictures of the main pages into docs/images, from example jobs on a dcron of its own
	@mkdir -p docs/images
	@cd $(WEB) && node screenshots/take.mjs

# What is shipped, and what is bundled into the page. Either may be out of reach: that is a failure, not a pass.
audit: $(STAMPS)/audit ## Ask PyPI and npm for known vulnerabilities of the locked packages
	$(TOOLS)/audit/bin/pip-audit --disable-pip --require-hashes --strict --progress-spinner off -r deploy/requirements.lock
	npm --prefix $(WEB) audit --omit=dev

lock: $(STAMPS)/uv ## Choose the versions of all dependencies anew
	$(call say,"choosing versions")
	$(UV) pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml -o requirements.lock
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements.lock pyproject.toml -o deploy/requirements.lock
	cd deploy/local && for name in uv mongodb audit; do \
		UV_PYTHON_DOWNLOADS=never ../../$(TOOLS)/uv/bin/uv pip compile -q --upgrade --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --no-header $$name-requirements.in -o $$name-requirements.lock; done

clean: ## Remove all that `make setup` made; the data in .dcron stays
	rm -rf $(TOOLS) .venv $(PAGE) $(WEB)/node_modules $(WEB)/api-documents $(WEB)/src/api/generated .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- What setup is made of. A stamp is older than what it was made from when that has to be done again.

$(STAMPS)/uv: deploy/local/uv-requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "dcron needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12 …" >&2; exit 1; }
	$(call say,"uv into $(TOOLS)/uv")
	@mkdir -p $(STAMPS)
	@$(PYTHON) -m venv --clear $(TOOLS)/uv || { \
		echo "python's venv module does not work here; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(TOOLS)/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(STAMPS)/python: requirements.lock pyproject.toml $(STAMPS)/uv
	$(call say,"the Python environment into .venv")
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

python: $(STAMPS)/python

etcd:
	@if ! command -v etcd >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "==> etcd from the system's packages"; \
			apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends etcd-server etcd-client >/dev/null; \
		else \
			echo "etcd is not installed: apt-get install etcd-server etcd-client (as root), or put etcd 3.4 or newer on the PATH" >&2; exit 1; \
		fi; fi

# The page's tests drive it; nothing else needs it.
chromium:
	@if ! command -v chromium >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "==> chromium from the system's packages"; \
			apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; \
		else \
			echo "chromium is not installed; the page's tests need it: apt-get install chromium (as root), or put it on the PATH" >&2; exit 1; \
		fi; fi

# What the test of the staging cluster runs beside our own; without them it is skipped, and says so.
STAGING := haproxy prometheus wget
staging:
	@if [ "$$(command -v $(STAGING) | wc -l)" != $(words $(STAGING)) ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "==> $(STAGING) from the system's packages"; \
			apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(STAGING) >/dev/null; \
		else \
			echo "one of $(STAGING) is not installed; the test of the staging cluster is skipped without: apt-get install $(STAGING)" >&2; \
		fi; fi

$(STAMPS)/mongodb: deploy/local/mongodb-requirements.lock $(STAMPS)/uv
	$(call say,"SecantusDB$(comma) which speaks MongoDB's protocol$(comma) into $(TOOLS)/mongodb")
	@test -x $(TOOLS)/mongodb/bin/python || $(UV) venv --quiet --python $(PYTHON) $(TOOLS)/mongodb
	@$(UV) pip sync --quiet --compile-bytecode --python $(TOOLS)/mongodb/bin/python --require-hashes $<
	@touch $@

$(STAMPS)/audit: deploy/local/audit-requirements.lock $(STAMPS)/uv
	@test -x $(TOOLS)/audit/bin/python || $(UV) venv --quiet --python $(PYTHON) $(TOOLS)/audit
	@$(UV) pip sync --quiet --python $(TOOLS)/audit/bin/python --require-hashes $<
	@touch $@

$(STAMPS)/kafka: deploy/local/kafka-pom.xml deploy/local/kafka-log4j2.xml
	@for program in java mvn; do command -v $$program >/dev/null || { \
		echo "$$program is not installed: apt-get install openjdk-17-jre-headless maven" >&2; exit 1; }; done
	$(call say,"Apache Kafka's jars into $(TOOLS)/kafka/libs")
	@mkdir -p $(STAMPS)
	@rm -rf $(TOOLS)/kafka
	@mvn -B -q -Dstyle.color=never -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(TOOLS)/kafka/libs | sed -e 's/\x1b\[[0-9;]*m//g' -e '/^$$/d'
	@cp deploy/local/kafka-log4j2.xml $(TOOLS)/kafka/log4j2.xml
	@touch $@

$(STAMPS)/kafka-archive: $(STAMPS)/kafka | $(STAMPS)/python
	$(call say,"Kafka's classes as the JVM likes them best: it starts in half the time from then on")
	@$(BIN)/python -m dcron_standalone.kafka_archive $(TOOLS)
	@touch $@

web: $(if $(WEB_SOURCES),$(STAMPS)/web) ## Build the page that the master serves

$(STAMPS)/node: $(wildcard $(WEB)/package.json $(WEB)/package-lock.json)
	@command -v npm >/dev/null || { echo "npm is not installed; the page needs Node 20 or newer to be built" >&2; exit 1; }
	$(call say,"the page's build tools into $(WEB)/node_modules")
	@mkdir -p $(STAMPS)
	@npm --prefix $(WEB) ci --silent --no-audit --no-fund
	@touch $@

$(STAMPS)/api-types: $(STAMPS)/node $(API_SOURCES) services/standalone/dcron_standalone/api_documents.py $(WEB)/scripts/types.mjs | $(STAMPS)/python
	$(call say,"the page's types from what the services say of their APIs")
	@$(BIN)/python -m dcron_standalone.api_documents $(WEB)/api-documents >/dev/null
	@npm --prefix $(WEB) run --silent types
	@touch $@

$(STAMPS)/web: $(STAMPS)/node $(STAMPS)/api-types $(WEB_SOURCES)
	$(call say,"the page into $(PAGE)")
	@npm --prefix $(WEB) run --silent build
	@touch $@

comma := ,
