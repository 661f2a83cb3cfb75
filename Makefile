# The house's commands. `make demo` and `make test` need only Python 3.11, make, git and the package registries.
.DEFAULT_GOAL := help
.PHONY: help demo demo-cluster test check bench bench-catalogue simulate kill lock clean
.NOTPARALLEL:
PYTHON := .venv/bin/python
DEMO_ARGS ?=
TEST_ARGS ?=
LOCK_ARGS ?=
TRACKS ?= 1000000
FOLDER ?=
SEEDS ?= 1000
SEED ?=
FIRST ?= 0
KILLS ?= 200

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: ## The whole corridor on real music, then the site (DEMO_ARGS="DIR --no-serve --json")
	@sh tools/bootstrap.sh run
	@.venv/bin/fonoteca demo $(DEMO_ARGS)

demo-cluster: ## The corridor on S3, PostgreSQL and Ray, all on this machine, one node killed on the way (DEMO_ARGS=--json)
	@sh tools/debian.sh "/usr/lib/postgresql/*/bin/initdb=postgresql"
	@sh tools/bootstrap.sh dev
	@$(PYTHON) tools/demo_cluster.py $(DEMO_ARGS)

# Playwright's driver needs libatomic, which neither its wheel nor Chromium brings. PostgreSQL's programs are not in PATH.
# aria2, Transmission and network namespaces are for the tests of swarms, Sublime Music and its screen for those of players; they are
# skipped without them.
test: ## Every check: style, types, floors, then the tests (TEST_ARGS="-k store")
	@sh tools/debian.sh chromium=chromium libatomic.so.1=libatomic1 "/usr/lib/postgresql/*/bin/initdb=postgresql" aria2c=aria2 transmission-cli=transmission-cli \
		ip=iproute2 sublime-music=sublime-music Xvfb=xvfb dbus-daemon=dbus gdbus=libglib2.0-bin
	@sh tools/bootstrap.sh dev
	@$(MAKE) --no-print-directory check
	@.venv/bin/pytest -n 2 --dist loadgroup $(TEST_ARGS)

check: ## Style, types and floors alone
	@sh tools/bootstrap.sh dev
	@.venv/bin/ruff check --quiet
	@.venv/bin/ruff format --quiet --check
	@.venv/bin/mypy --no-error-summary
	@said=$$(.venv/bin/lint-imports --no-cache 2>&1) || { echo "$$said"; exit 1; }

bench: ## Measure every figure that the README quotes (a table, and JSON in test-output/bench.json)
	@sh tools/bootstrap.sh dev
	@$(PYTHON) -m bench

bench-catalogue: ## The catalogue at any size (TRACKS=256039007 FOLDER=/with/50/GB takes an hour and more)
	@sh tools/bootstrap.sh dev
	@$(PYTHON) -m bench.scale --tracks $(TRACKS) $(if $(FOLDER),--folder $(FOLDER))

simulate: ## Archives over disks and S3 that fail, seed by seed (SEEDS=1000, FIRST=0; SEED=17 shows one)
	@sh tools/bootstrap.sh dev
	@$(PYTHON) -m fonoteca.testing.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --first $(FIRST))

kill: ## `kill -9` the real command over one acquire, on this disk and on SeaweedFS (KILLS=200)
	@sh tools/bootstrap.sh dev
	@$(PYTHON) -m fonoteca.testing.simulation.killing --kills $(KILLS)
	@$(PYTHON) -m fonoteca.testing.simulation.killing --kills $(KILLS) --s3

lock: ## Pin every package, with hashes (LOCK_ARGS=--upgrade for the newest)
	@sh tools/lock.sh $(LOCK_ARGS)

clean: ## Remove what was made here (.venv, .tools, demo and the rest)
	rm -rf .venv .tools build dist demo test-output .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
