# The commands a person types. config/bootstrap.py brings Python packages and tools; nothing is installed outside this folder
# except, for `make test` as root, the browser the tests drive.
PYTHON ?= python3
RUN = @$(PYTHON) config/bootstrap.py

.PHONY: help up test check bench reset manage

help:   ## Show this list.
	@sed -n 's/^\([a-z]*\):.*## /  make \1   /p' Makefile

up:     ## Start everything and print where it is; Ctrl-C stops it. PORT=8001 starts a second one.
	$(RUN) up

test:   ## Run every test. ARGS="tests/unit -k gate" narrows it.
	$(RUN) test $(ARGS)

check:  ## Lint, types, layers, templates, migrations, vendored files.
	$(RUN) check

bench:  ## Measure all workloads and write docs/benchmarks.md.
	$(RUN) bench

reset:  ## Empty the data directory after asking.
	$(RUN) reset

manage: ## Run a management command beside the running stack: make manage ARGS="check_invariants".
	$(RUN) manage $(ARGS)
