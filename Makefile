# Every target makes .venv and installs what it needs by itself.
#   make train ARGS="model=mlp optim=sgd"      make dashboard LOGDIR=outputs/sweeps/<a sweep>

.PHONY: train test quick lectures drill lint docs dashboard clean

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
ARGS ?= model=lenet optim=adam
LOGDIR ?= outputs
VENV := .venv
INSTALLED := $(VENV)/installed
READY := $(VENV)/ready

train: $(INSTALLED)
	$(VENV)/bin/python train.py $(ARGS)

test: $(READY)
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal

# A part of the tests, in less than a minute
quick: $(READY)
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal -m "not compiled and not slow"

# All lectures for real; fails if one of their claims does not hold
lectures: $(INSTALLED)
	$(VENV)/bin/python -m dlcourse lecture all

# Kills and fails runs, resumes them and compares all bits; DRILL="kills=100 every=10" takes less
drill: $(INSTALLED)
	$(VENV)/bin/python scripts/kill_drill.py $(DRILL)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

# The site: open docs/_build/html/index.html
docs: $(READY)
	$(VENV)/bin/python -c "import furo, myst_parser" 2>/dev/null \
	|| $(VENV)/bin/python -m pip install --quiet --editable ".[docs]"
	$(VENV)/bin/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

dashboard: $(INSTALLED)
	$(VENV)/bin/tensorboard --logdir $(LOGDIR)

# outputs/ and data/ are yours: clean leaves them alone.
clean:
	rm -rf $(VENV) build dist docs/_build .ruff_cache .hypothesis
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "dlcourse needs Python 3.11 or newer; none was found. \
	Install one, or name it: make train PYTHON=/path/to/python3"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable .
	@touch $(INSTALLED)

# The tests need every optional part as well
$(READY): $(INSTALLED)
	$(VENV)/bin/python -m pip install --quiet --editable ".[dev]"
	@touch $(READY)
