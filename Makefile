# Huifang 回访. `make run` starts the centre, `make call` plays a customer, `make test` runs every test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT := RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive

.DEFAULT_GOAL := help
.PHONY: help run call doctor test test-tools test-models check lint types imports bench vendor docs clean

help:            ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: $(STAMP)    ## set everything up and start the centre with the demo company
	@$(BIN)/huifang up --demo $(ARGS)

call: $(STAMP)   ## play a customer: make call ARGS="--customer 王建军 --menu 1 --calls 5 --rate 1"
	@$(BIN)/huifang call $(ARGS)

doctor: $(STAMP) ## say what is missing or wrong, and how to mend it
	@$(BIN)/huifang doctor

test: test-tools ## set up what the tests need and run all of them
	@$(BIN)/python -m tests.every $(ARGS)

check: test-tools lint types imports test  ## what CI runs

lint: $(STAMP)   ## lint and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)  ## strict types over code and tests
	@$(BIN)/mypy app kernel telephony ivr callback_campaigns crm speech web tests

imports: $(STAMP) ## who may import whom
	@$(BIN)/lint-imports

bench: test-tools ## measure everything, write docs/benchmarks.md
	@$(BIN)/python -m tests.bench all

vendor: $(STAMP) ## fetch the pages' third-party scripts again and compare them with the lock
	@$(BIN)/python -m web.vendor

docs: $(STAMP)   ## write the generated documents again
	@$(BIN)/huifang docs

clean:           ## remove what was built (data in .data stays)
	@rm -rf $(VENV) .runtime build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# ---- set-up ----

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: install it, or name it: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "== python3-venv is missing, installing it"; \
	  $(SUDO) apt-get update -qq && $(SUDO) env $(APT) apt-get install -y -qq python3-venv >/dev/null; } || \
	  { echo "python3-venv could not be installed: run  apt-get install python3-venv"; exit 1; }
	@echo "== Python environment in $(VENV)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' || \
	  { echo "The Python packages could not be installed: check the network and the free space, then run make again."; exit 1; }
	@touch $@

test-tools: $(STAMP) test-models
	@missing=""; \
	command -v sipp >/dev/null || missing="$$missing sip-tester"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	ldconfig -p | grep -q libatomic.so.1 || missing="$$missing libatomic1"; \
	ls /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc >/dev/null 2>&1 || missing="$$missing fonts-noto-cjk"; \
	if [ -n "$$missing" ]; then \
	  echo "== installing for the tests:$$missing"; \
	  { $(SUDO) apt-get update -qq && \
	    $(SUDO) env $(APT) apt-get install -y -qq --no-install-recommends $$missing >/dev/null; } || \
	  { echo "These packages could not be installed: check the network, or run  apt-get install$$missing"; exit 1; }; \
	fi

test-models: $(STAMP)
	@for model in whisper-base vosk-ko voice-zh; do \
	  [ -d .runtime/models/$$model ] || $(BIN)/huifang speech install $$model --to .runtime/models || exit 1; \
	done
