# Naru: one command each. `make help` lists them.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
export DATA_DIR ?= /var/lib/naru

.DEFAULT_GOAL := help
.PHONY: help setup engine images check test

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## virtual environment and the package in it
	@scripts/setup.sh $(VENV)

engine: setup ## a Docker Engine that answers, installed and started where there is none
	@scripts/engine.sh

check: setup ## format, lint, strict types, import directions
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q . && $(BIN)/mypy && $(BIN)/lint-imports

images: engine ## the example's images, built where they are missing
	@scripts/images.sh

test: images ## every test
	@$(BIN)/pytest
