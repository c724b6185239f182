# The face of the project: `make help` lists what there is to say.
# Thin on purpose: meson and the scripts it names do the work.

BUILD ?= build
PYTHON := /usr/bin/python3
MESON_FLAGS ?=

.PHONY: all deps check check-long check-unit demo install uninstall bench evaluation lint format format-check tidy \
	cppcheck asan tsan clang fuzz clean help

all: $(BUILD)/build.ninja ## build ballast and ballastd into build/
	@ninja -C $(BUILD)
	@ln -sf src/command/ballast $(BUILD)/ballast
	@ln -sf src/agent/ballastd $(BUILD)/ballastd

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(MESON_FLAGS)

deps: ## install the Debian packages that are missing
	@sh dist/install-packages

check: ## build and run every test (what ./check does after installing)
	@$(PYTHON) tests/check.py

check-long: ## the tests that take an hour or more
	@$(PYTHON) tests/check.py --long

check-unit: all ## the unit tests alone
	@meson test -C $(BUILD) --suite unit --no-rebuild --print-errorlogs

demo: all ## a cluster of real hosts on this machine that ballast relieves (KEEP=1 leaves it running)
	@$(PYTHON) lab/demo.py

install: all ## install programs, unit file and manual pages (DESTDIR; MESON_FLAGS=--prefix=/usr when build/ is made)
	@meson install -C $(BUILD) --no-rebuild

uninstall: ## remove what the last install wrote
	@ninja -C $(BUILD) uninstall

bench: all ## the benchmarks: each prints ratios or counts
	@$(PYTHON) bench/run.py

evaluation: all ## every figure and plot of docs/evaluation.md
	@$(PYTHON) bench/evaluation.py

lint: format-check tidy cppcheck ## all linters

SOURCES := $(shell git ls-files '*.c' '*.h' 2>/dev/null)

format: ## lay the sources out by .clang-format
	@clang-format -i $(SOURCES)

format-check: ## fail where clang-format would change something
	@clang-format --dry-run --Werror $(SOURCES)

tidy: $(BUILD)/build.ninja ## clang-tidy over all sources
	@sh tests/tidy.sh $(BUILD)

cppcheck: ## cppcheck over all sources
	@sh tests/cppcheck.sh

clang: ## build with clang and run the unit tests
	@[ -d build-clang ] || CC=clang meson setup build-clang
	@ninja -C build-clang && meson test -C build-clang --suite unit --no-rebuild --print-errorlogs

asan: ## unit tests with clang's address and undefined-behaviour sanitizers
	@[ -d build-asan ] || CC=clang meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false -Dbench=false
	@ninja -C build-asan && meson test -C build-asan --suite unit --no-rebuild --print-errorlogs

tsan: ## the threaded parts with the thread sanitizer
	@[ -d build-tsan ] || CC=clang meson setup build-tsan -Db_sanitize=thread -Db_lundef=false -Dbench=false
	@ninja -C build-tsan && meson test -C build-tsan --suite unit --no-rebuild --print-errorlogs

fuzz: ## build the fuzzers and run each for FUZZ_SECONDS (60)
	@$(PYTHON) fuzz/run.py --seconds $${FUZZ_SECONDS:-60}

clean: ## remove everything that was built
	@rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16
