# The house's commands. `make demo` and `make test` need only Python 3.11, make, git and the package registries.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench lock clean
PYTHON := .venv/bin/python
DEMO_ARGS ?=
TEST_ARGS ?=

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: ## The whole corridor on real music, then the site (DEMO_ARGS="DIR --no-serve --json")
	@sh tools/bootstrap.sh run
	@.venv/bin/fonoteca demo $(DEMO_ARGS)

test: ## Every check: style, types, floors, then the tests (TEST_ARGS="-k store")
	@sh tools/bootstrap.sh dev
	@sh tools/debian.sh chromium=chromium
	@$(MAKE) --no-print-directory check
	@.venv/bin/pytest -n 2 --dist loadgroup $(TEST_ARGS)

check: ## Style, types and floors alone
	@sh tools/bootstrap.sh dev
	@.venv/bin/ruff check --quiet
	@.venv/bin/ruff format --quiet --check
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache >test-output.lint 2>&1 || { cat test-output.lint; rm -f test-output.lint; exit 1; }
	@rm -f test-output.lint

bench: ## Measure every figure that the README quotes (a table, and JSON in test-output/bench.json)
	@sh tools/bootstrap.sh dev
	@$(PYTHON) -m bench

lock: ## Pin every package anew, with hashes
	@sh tools/bootstrap.sh dev
	@sh tools/lock.sh

clean: ## Remove what was made here (.venv, .tools, demo)
	rm -rf .venv .tools demo test-output .mypy_cache .ruff_cache .pytest_cache .hypothesis
