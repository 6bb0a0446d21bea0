# make run: the main job. make test: the tests. Both make the environment first; it needs Python 3.11 or 3.12 and a PyPI index.
ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3,$(if $(shell $(p) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo ok),$(p))))
# uv in an environment of its own: many distributions refuse a global pip.
UV := $(ROOT).uv/bin/uv
READY := $(ROOT).venv/.ready
export UV_PROJECT_ENVIRONMENT := $(ROOT).venv
export DS_BUILD_OPS := 0

.PHONY: run test check setup lint ui docs bench sbom clean

run: setup
	@cd $(ROOT) && .venv/bin/preceptor run

test: setup lint
	@cd $(ROOT) && .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=25 --durations-min=4

# Before a commit: the formatting is put right, the rest is looked at; of the tests those beside what was changed.
check: setup
	@cd $(ROOT) && .venv/bin/ruff check --fix . && .venv/bin/ruff format . && .venv/bin/mypy && .venv/bin/lint-imports
	@cd $(ROOT) && tests=$$(.venv/bin/python tests/changed.py) && if [ -n "$$tests" ]; then .venv/bin/python -m pytest -n 2 --dist loadfile $$tests; else echo "No test stands beside what was changed."; fi

lint: setup
	@cd $(ROOT) && .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

setup: $(READY)

ui: setup
	@cd $(ROOT) && .venv/bin/preceptor ui

# The pages as a site in site/; the references of commands and settings are made anew.
docs: setup
	@cd $(ROOT) && .venv/bin/python docs/reference/generate.py
	@cd $(ROOT) && UV_PROJECT_ENVIRONMENT=$(ROOT).uv/docs $(UV) run --frozen --no-python-downloads --python $(PYTHON) --only-group docs mkdocs build --quiet && echo "$(ROOT)site/index.html"

bench: setup
	@cd $(ROOT) && .venv/bin/python benchmarks/all.py

sbom: setup
	@cd $(ROOT) && .venv/bin/python docker/bill_of_materials.py

$(UV):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(ROOT).uv && $(ROOT).uv/bin/pip install --quiet --disable-pip-version-check uv

# Bytecode at once: a minute here, and every process afterwards starts up to 20 seconds sooner, also where nothing may be
# written beside the libraries.
$(READY): $(UV) $(ROOT)pyproject.toml $(ROOT)uv.lock
	@cd $(ROOT) && $(UV) sync --frozen --compile-bytecode --no-python-downloads --python $(PYTHON)
	@touch $(READY)

clean:
	rm -rf $(ROOT).venv $(ROOT).uv
