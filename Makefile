# Naru: one command each. `make help` lists them.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STORIES ?= 10000
export DATA_DIR ?= /var/lib/naru
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.DEFAULT_GOAL := help
.PHONY: help setup engine images demo down check test test-page test-faults soak bench bench-vm

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## virtual environment and the package in it
	@scripts/setup.sh $(VENV)

engine: setup ## a Docker Engine that answers, installed and started where there is none
	@scripts/engine.sh

demo: images ## start a cluster, run the three tiers on it, kill their containers and see them heal
	@$(SUDO) $(BIN)/python scripts/demo.py --data-dir $(DATA_DIR) $(if $(PORT),--port $(PORT))

down: setup ## end that cluster; its data stays
	@$(SUDO) $(BIN)/naru down --data-dir $(DATA_DIR)

check: setup ## format, lint, strict types, import directions
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q . && $(BIN)/mypy && $(BIN)/lint-imports

images: engine ## the example's images, built where they are missing
	@scripts/images.sh

test: images ## every test but those of test-page, test-faults and soak
	@scripts/test_packages.sh
	@$(BIN)/pytest

test-page: images ## the page in a real browser, most of it on a whole cluster
	@scripts/test_packages.sh
	@$(BIN)/pytest -m page

test-faults: images ## kill -9, hung engines, lost networks and 200 requests a second: half an hour, as root
	@scripts/test_packages.sh
	@$(SUDO) $(BIN)/pytest -m faults

soak: setup ## what promises hold for long: planted bugs, then 10,000 simulated stories, which go on where they were interrupted
	@$(SUDO) $(BIN)/pytest -m soak
	@$(BIN)/naru simulate --stories $(STORIES) --hours 0.0012 --quiet --journal build/soak.jsonl

bench: images ## ours beside the bare engine, measured: some minutes; PEERS=swarm, beside Docker Swarm too
	@$(SUDO) $(BIN)/python -m benchmarks $(if $(PEERS),--peers $(PEERS))

bench-vm: images ## one server in a real virtual machine and in a container, measured
	@. scripts/common.sh; PATH=$$PATH:/sbin; type qemu-system-x86_64 busybox mke2fs >/dev/null 2>&1 || \
		apt_install "a virtual machine is to be run" qemu-system-x86 busybox-static e2fsprogs
	@$(SUDO) env DATA_DIR=$(DATA_DIR) $(BIN)/python -m benchmarks.vm
