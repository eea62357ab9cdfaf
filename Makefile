# make run    sets everything up and runs the demo: two systems, one connector, a day at the hospital
# make test   sets everything up and passes the tests
.DEFAULT_GOAL := help
RUNS ?= 1000000
WORKERS ?= $(shell nproc 2>/dev/null | awk '{print ($$1 > 4) ? 4 : $$1}')

.PHONY: help ready run test fuzz faults check bench sbom release-check lock clean

help:            ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

ready:           ## .venv with the locked, hash-checked dependencies
	@scripts/setup

run: ready       ## the demo (stays up on a terminal until Ctrl-C)
	@.venv/bin/connector demo

test: ready      ## the tests
	@.venv/bin/python -m pytest -n $(WORKERS) --dist loadfile

fuzz: ready      ## the laws on new examples, then RUNS inputs (a million) for each fuzzer, with counts
	@.venv/bin/python -m pytest -n $(WORKERS) -m hypothesis --hypothesis-profile search
	@.venv/bin/python -m tests.fuzz --runs $(RUNS)

faults: ready    ## the long run of the faults: kills, failing system calls, failing partners (needs strace)
	@FAULTS=full .venv/bin/python -m pytest -n $(WORKERS) -rP tests/faults tests/audit/test_export_tampered.py

check: ready     ## ruff, format and mypy --strict
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

bench: ready     ## the benchmark table
	@.venv/bin/python -m benchmarks

sbom: ready      ## what runs, as CycloneDX: var/connector.cdx.json
	@.venv/bin/python -W error -m scripts.sbom var/connector.cdx.json
	@echo var/connector.cdx.json

release-check: ready ## what a release needs (pip-audit fails where its database is out of reach)
	@scripts/release-check

lock: ready      ## both lock files anew, from pyproject.toml (needs uv on the path)
	@uv pip compile -q --generate-hashes --no-emit-index-url --universal --python-version 3.11 --extra dev -o requirements-dev.lock pyproject.toml
	@uv pip compile -q --generate-hashes --no-emit-index-url --universal --python-version 3.11 -c requirements-dev.lock -o requirements.lock pyproject.toml

clean:           ## everything that can be made again
	@rm -rf .venv var .mypy_cache .ruff_cache .hypothesis
