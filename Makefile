# A thin front of manage.py. A newcomer needs `make run` and `make test`; see README.md.
PYTHON ?= python3
UV_VERSION := 0.13.9
PY := .venv/bin/python

.PHONY: run test check lock

run: .venv/runtime.stamp  ## everything on loopback, with a demo organisation
	@exec $(PY) manage.py run

test: .venv/dev.stamp  ## the whole suite, on SQLite, on PostgreSQL and with a Redis broker
	@exec $(PY) -m tests $(ARGS)

check: .venv/dev.stamp  ## lint, types, deployment check, missing migrations
	@exec $(PY) -m tests.checks

lock: .venv/dev.stamp  ## pins anew what the requirements pull in
	$(PY) -m uv pip compile --quiet --universal --strip-extras --python-version 3.11 \
		requirements-dev.txt --output-file requirements.lock

.venv/runtime.stamp: requirements.txt requirements.lock
	$(call install,requirements.txt)

.venv/dev.stamp: requirements.txt requirements-dev.txt requirements.lock
	$(call install,requirements-dev.txt)
	@touch .venv/runtime.stamp

# uv installs ten times quicker than pip; where it can't be had or fails, pip does the same work.
define install
	@$(PYTHON) -c 'import sys; sys.exit("Stagedoor needs Python 3.11 or newer, not %d.%d. Name one: make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PY) -c "" 2>/dev/null || { echo "Making a virtual environment in .venv"; $(PYTHON) -m venv --clear .venv; }
	@echo "Installing $(1) (once; a minute or two)"
	@{ $(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
		&& $(PY) -m uv pip install $$(test -w "$$HOME" || echo --no-cache) --system-certs \
			--compile-bytecode --python $(PY) -r $(1) -c requirements.lock; } \
	|| { echo "uv did not manage it; trying with pip"; \
		$(PY) -m pip install --disable-pip-version-check -r $(1) -c requirements.lock; }
	@touch $@
endef
