# Every target sets up what it needs; `make` lists them.
VENV ?= .venv
PYTHON = $(VENV)/bin/python
# Most tests wait for something most of the time, so there are more of them than cores.
WORKERS ?= 3
OPSCTL = $(VENV)/bin/opsctl
export OPSCTL_VENV = $(VENV)

.DEFAULT_GOAL = help
.PHONY: help demo test test-hostile check format bench docs spin_up_db spin_up_ecs update_tasks

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## The whole way on this machine: sandbox, db, ecs, update-tasks, logs, metrics
	@scripts/setup sandbox
	@$(PYTHON) scripts/demo.py

test: ## Run every test
	@scripts/setup dev
	@$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore tests/engine $(PYTEST_ARGUMENTS)
	@$(PYTHON) -m pytest tests/engine $(PYTEST_ARGUMENTS)

test-hostile: ## The long form of the hostile tests: whole connections, two operators, killed rolls, faults at calls of AWS, every line of the documents
	@scripts/setup dev
	@HOSTILE_EXAMPLES=2000 HOSTILE_SECONDS=240 $(PYTHON) -m pytest --timeout 900 \
		tests/service/protocol/test_both_ways.py tests/service/test_hostile_connections.py \
		tests/opsctl/rollout/test_roll_instances_from_any_state.py $(PYTEST_ARGUMENTS)
	@ROUNDS=10 $(PYTHON) -m pytest --timeout 1800 tests/end_to_end/test_roll_instances.py
	@ROUNDS=20 $(PYTHON) -m pytest --timeout 1800 tests/end_to_end/test_two_hands.py
	@HOSTILE_SEED=$$(date +%F) HOSTILE_PART=1/1 $(PYTHON) -m pytest -s --timeout 7200 tests/hostile \
		tests/end_to_end/test_outage.py tests/end_to_end/test_how_to.py

check: ## Lint, types, import contracts, templates
	@scripts/setup dev
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache
	@scripts/setup checkov
	@CHECKOV=$(CURDIR)/$(VENV)-checkov/bin/checkov $(PYTHON) -m pytest -q tests/opsctl/stacks/test_lint.py

format: ## Format the sources
	@scripts/setup dev
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

bench: ## Measure against the peers; prints ratios
	@scripts/setup dev
	@$(PYTHON) -m bench

docs: ## Regenerate what is generated
	@scripts/setup dev
	@$(PYTHON) scripts/docs.py

spin_up_db: ## opsctl db up
	@scripts/setup sandbox && $(OPSCTL) db up

spin_up_ecs: ## opsctl ecs up
	@scripts/setup sandbox && $(OPSCTL) ecs up

update_tasks: ## opsctl update-tasks
	@scripts/setup sandbox && $(OPSCTL) update-tasks
