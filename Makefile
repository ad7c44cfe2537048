# Needs python3 (3.11 or later) with its venv module, and make; the rest is installed into .venv, the database included.

PYTHON ?= python3
PORT ?= 8000
SIZE ?= S
ARGS ?=
# Test processes: auto takes one for each core; 0 runs all in one, for a debugger.
WORKERS ?= auto
BIN := .venv/bin/python
PIP := $(BIN) -m pip install --quiet --disable-pip-version-check --require-hashes

# What `manage.py check --deploy` judges: settings as production has them. None of these hosts is called.
PRODUCTION := SECRET_KEY=only-to-check-the-deployment-0123456789-abcdefghijklmnopqrstuvwxyz \
	ALLOWED_HOSTS=portal.example.org PORTAL_BASE_URL=https://portal.example.org \
	CSRF_TRUSTED_ORIGINS=https://portal.example.org TRUSTED_PROXY_COUNT=1 STATIC_MANIFEST=1 PORTAL_DEMO= DEBUG= \
	DATABASE_URL=postgres://portal:secret@db.example.org/portal REDIS_URL=redis://cache.example.org/0 \
	CELERY_BROKER_URL=redis://broker.example.org/1 EMAIL_URL=smtp://mail.example.org:25

.DEFAULT_GOAL := help
.PHONY: help install install-dev run test check lock lock-check benchmark demo-reset clean

help:  ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 20

install: .venv/installed  ## Install what the portal runs on

install-dev: .venv/installed-dev

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt | .venv/bin/pip
	$(PIP) -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt | .venv/bin/pip
	$(PIP) -r requirements-dev.txt
	@touch $@ .venv/installed

run: export PORTAL_DEMO = 1
run: export PORT := $(PORT)
run: install  ## Serve the portal with a demo institution at PORT (8000)
	@exec $(BIN) -m credentials_portal.devserver

test: install-dev  ## Run the whole suite; ARGS="-k letters" selects, FULL=1 tries harder
	$(BIN) -m pytest --numprocesses=$(WORKERS) --dist=loadfile $(ARGS)

check: install-dev lock-check  ## Judge format, lint, types, layers, migrations and deployment
	$(BIN) -m ruff format --check .
	$(BIN) -m ruff check .
	$(BIN) -m mypy .
	.venv/bin/lint-imports
	$(BIN) manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(BIN) manage.py check --deploy --fail-level WARNING

lock:  ## Pin what the requirements*.in name, with hashes
	$(PYTHON) -m venv .venv/uv
	.venv/uv/bin/python -m pip install --quiet uv
	for name in requirements requirements-dev; do \
		.venv/uv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
			--no-emit-find-links --no-header --no-annotate --python-version 3.11 $$name.in --output-file $$name.txt || exit 1; \
	done

# Each name in an .in file is pinned in the .txt file, and both .txt files pin what they share alike.
lock-check:
	@for name in requirements requirements-dev; do \
		for package in $$(sed -nE 's/^([A-Za-z0-9._-]+).*/\1/p' $$name.in | grep -v ^-r | tr A-Z_. a-z--); do \
			grep -q "^$$package==" $$name.txt || { echo "$$name.txt lacks $$package: make lock"; exit 1; }; \
		done; \
	done
	@grep -oE '^[a-z0-9.-]+==[^ ;]+' requirements.txt | while read pin; do \
		grep -qF -- "$$pin" requirements-dev.txt || { echo "requirements-dev.txt lacks $$pin: make lock"; exit 1; }; \
	done

benchmark: install-dev  ## Measure the portal under SIZE (S) amounts of rows
	$(BIN) -m benchmarks --size $(SIZE)

demo-reset: export PORTAL_DEMO = 1
demo-reset: install  ## Begin the demo anew: everything in the embedded database is lost
	$(BIN) -m credentials_portal.devdb recreate
	$(BIN) manage.py migrate --verbosity=0
	$(BIN) manage.py seed_demo

clean:  ## Remove what make installed and what tools cached; the data in .data stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis staticfiles
	find . -name __pycache__ -type d -not -path './.data/*' -prune -exec rm -rf {} +
