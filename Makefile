# Every command of the project has one name. `make help` lists them.
# The newest Python from 3.11 on that is on PATH and can make an environment; looked for only when one is made.
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3; do \
    "$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Tests wait more than they compute: more of them than processors at a time.
PARALLEL ?= --numprocesses 3 --dist worksteal
TREE   := proto worker client builder tests deploy docs/examples

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-more check lint types arrows stubs py37 openapi proto screenshot bench bench-peers programs chaos fuzz soak \
    lock wheels sbom audit clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Start a worker on the built-in model, score the built-in data set over gRPC
	@rm -rf demo-out
	$(BIN)/spanserve eval -o demo-out

test: $(VENV)/.dev ## Run every test that needs no card
	$(BIN)/python -m pytest $(PARALLEL)

test-unit: $(VENV)/.dev ## Run the tests that start no process: under a minute of processor time
	$(BIN)/python -m pytest tests/unit

test-more: $(VENV)/.dev ## Run the long tests, and property tests with twenty times the examples: not part of `test`
	$(BIN)/python -m pytest $(PARALLEL) -m 'long or hypothesis' --hypothesis-profile more --timeout 3600

check: lint types arrows stubs py37 ## Everything but the tests: lint, types, arrows, stub drift, Python 3.7

lint: $(VENV)/.dev ## ruff over the code, buf over the protocol
	$(BIN)/ruff check $(TREE)
	$(BIN)/ruff format --check $(TREE)
	$(BIN)/buf lint

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy $(TREE)

arrows: $(VENV)/.dev ## Imports point one way
	$(BIN)/lint-imports --no-logo

py37: $(VENV)/.dev ## Device host, compile step and emulated SDK stay valid on Python 3.7
	$(BIN)/vermin --quiet --target=3.7- --violations --no-tips --backport typing worker/spanserve/device/host \
	    worker/spanserve/device/compile worker/spanserve/device/sdk tests/emulator tests/programs/pinned

stubs: $(VENV)/.dev ## The generated stubs match the .proto files
	@mkdir -p $(VENV)/stubs && rm -rf $(VENV)/stubs/*
	@$(MAKE) --no-print-directory proto OUT=$(VENV)/stubs
	@for f in proto/spanserve/v1/*_pb2*; do cmp $$f $(VENV)/stubs/spanserve/v1/$$(basename $$f) || exit 1; done
	@for f in open_inference.binpb open_inference_pb2.pyi; do cmp $(OIP)/$$f $(VENV)/stubs/$$f || exit 1; done

openapi: $(VENV)/.dev ## Write docs/openapi.json from the code
	$(BIN)/python -m tests.kit.openapi > docs/openapi.json

OUT ?= proto
OIP := worker/spanserve/doors/grpc/oip
OIP_OUT = $(if $(filter proto,$(OUT)),$(OIP),$(OUT))
proto: $(VENV)/.dev ## Generate the stubs from the .proto files
	$(BIN)/python -m grpc_tools.protoc --proto_path=proto --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
	    --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	    --python_out=$(OUT) --grpc_python_out=$(OUT) --mypy_out=quiet:$(OUT) --mypy_grpc_out=quiet:$(OUT) \
	    proto/spanserve/v1/task.proto proto/spanserve/v1/worker.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=$(OIP) --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
	    --descriptor_set_out=$(OIP_OUT)/open_inference.binpb --mypy_out=quiet:$(OIP_OUT) $(OIP)/open_inference.proto

bench: $(VENV)/.dev ## Benchmarks: ratios measured side by side in one run (needs SPANSERVE_SQUAD_DIR)
	$(BIN)/python -m tests.benchmarks

PAGE ?= docs/page.png
screenshot: $(VENV)/.dev ## Take the picture of a worker's page that is in README (needs Chromium on PATH)
	$(BIN)/python -m tests.kit.screenshot $(PAGE)

PEERS ?=
bench-peers: $(VENV)/.dev ## Compare with other servers, each in an environment of its own: PEERS="spanserve mosec triton", or all of them
	$(BIN)/python -m tests.benchmarks.peers $(PEERS)

programs: $(VENV)/.dev ## Public programs, unmodified, on the emulated SDK (needs SPANSERVE_PROGRAMS_DIR, see tests/programs)
	$(BIN)/python -m pytest tests/programs

MINUTES ?= 10
KILLS   ?= 20
chaos: $(VENV)/.dev ## Faults of every kind on a Redis queue: KILLS (20), then all for MINUTES (10); prints classes and seed
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) --kills $(KILLS)

SECONDS ?= 60
TARGETS ?=
fuzz: $(VENV)/.dev ## Made-up input for SECONDS (60) each: TARGETS="frames texts", or all of them
	@$(PIP) atheris || echo "going on without atheris: the kept inputs with random changes"
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

QUESTIONS ?= 1000000
soak: $(VENV)/.dev ## QUESTIONS (1,000,000) on every door at once; fails if memory, descriptors or threads grow
	$(BIN)/python -m tests.soak --questions $(QUESTIONS)

# What is released, and the tools that look at it: each in an environment of its own, made of files whose hashes are known.
SERVED := worker,client,cpu,parquet,chinese,otel
LOCK   := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --constraint constraints.txt \
          --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock'
comma  := ,

lock: $(VENV)-tools/.made ## Write requirements/*.lock: the pins of constraints.txt, with the hashes of all their files
	$(VENV)-tools/bin/$(LOCK) $(addprefix --extra ,$(subst $(comma), ,$(SERVED))) --output-file requirements/serve.lock
	$(VENV)-tools/bin/$(LOCK) --extra release --output-file requirements/release.lock

wheels: $(VENV)/.dev ## Build the wheel and the source archive into dist/
	@rm -rf dist
	$(BIN)/python -m hatchling build -d dist

sbom: $(VENV)-served/.made $(VENV)-tools/.made ## Write a bill of materials (CycloneDX) of what an install has to dist/
	@mkdir -p dist
	$(VENV)-tools/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
	    --output-file dist/spanserve.cdx.json $(VENV)-served/bin/python

audit: $(VENV)-served/.made $(VENV)-tools/.made ## Licences and known vulnerabilities of what an install has
	$(VENV)-tools/bin/python deploy/audit.py $(VENV)-served/bin/python requirements/serve.lock

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(VENV)-served $(VENV)-tools dist demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/pip:
	@python="$(PYTHON)"; [ -n "$$python" ] || { echo "No Python 3.11 or newer that can make an environment was found \
	on PATH; install one with its venv module, or name one: make PYTHON=/path/to/python3" | tr -s '\t ' ' ' >&2; exit 1; }; \
	"$$python" -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(PIP) --editable '.[worker,client,cpu]'
	@touch $@

$(VENV)-served/.made: pyproject.toml requirements/serve.lock | $(VENV)/bin/pip
	rm -rf $(VENV)-served && $(BIN)/python -m venv $(VENV)-served
	$(VENV)-served/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/serve.lock
	$(VENV)-served/bin/pip install --quiet --disable-pip-version-check --no-deps .
	@touch $@

$(VENV)-tools/.made: requirements/release.lock | $(VENV)/bin/pip
	rm -rf $(VENV)-tools && $(BIN)/python -m venv $(VENV)-tools
	$(VENV)-tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/release.lock
	@touch $@

# torch first, from its exact version: an open range may fetch a build with gigabytes of GPU libraries.
$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.demo
