# SPDX-License-Identifier: LGPL-2.1-or-later
# A thin front: meson builds, scripts/ do the work. `make help` lists the targets.
.DEFAULT_GOAL := build
.PHONY: build run test lint bench mutants oracle asan tsan fuzz prove clang model install clean help kernels machine-oracle

BUILD ?= build
PREFIX ?= /usr/local
# The kernel that `make run` looks at, and those that the tests look at.
KIND ?= 6.12-cloud-amd64
TEST_KINDS := 6.12-cloud-amd64+headers+dbg 6.12-amd64+headers 6.1-amd64+headers 6.1-cloud-amd64
# Further arguments of `make test`, such as TESTS='--suite unit'.
TESTS ?=
# What `make mutants` makes.
COUNT ?= 20000
SEED ?= 1
# Which proofs of `make prove`: names of tests/prove/NAME.c (default: all).
PROOFS ?=
SETUP := meson setup --prefix=$(PREFIX) --libdir=lib $(if $(WERROR),-Dwerror=true)
QUIET := | { grep -vE '^(\[|ninja: (Entering|no work))' || true; }
SHELL := /bin/bash -o pipefail

define configure
@[ -e $(1)/build.ninja ] || $(2) $(SETUP) $(3) $(1) >/dev/null || { $(2) $(SETUP) $(3) $(1); exit 1; }
endef

define build
$(configure)
@ninja -C $(1) $(QUIET)
endef

build: ## compile the library and the command
	$(call build,$(BUILD))

run: ## set up what is missing, then judge a stock Debian kernel's whole module tree, and run a module in it
	@scripts/install-packages build
	@release=$$(scripts/fetch-kernel $(KIND)) && $(MAKE) --no-print-directory build && \
		echo "kocoon check --all --kernel=$$release" && $(BUILD)/src/cli/kocoon check --all --kernel=$$release && \
		echo "kocoon run --kernel=$$release btrfs" && $(BUILD)/src/cli/kocoon run --kernel=$$release btrfs

test: ## set up what is missing, then run every test
	@scripts/install-packages build test
	@scripts/fetch-kernel $(TEST_KINDS) >/dev/null
	$(call build,$(BUILD))
	@scripts/run-tests $(BUILD) $(TESTS)

lint: ## format, clang-tidy, cppcheck, shellcheck, house rules
	@scripts/install-packages build test lint
	$(call configure,$(BUILD))
	@ninja -C $(BUILD) build.ninja $(QUIET)
	@scripts/lint $(BUILD)

mutants: ## damaged modules before a real kernel and the library: COUNT of them, by a SEED
	@scripts/install-packages build test
	@scripts/fetch-kernel $(KIND) >/dev/null
	$(call configure,$(BUILD))
	@ninja -C $(BUILD) tests/mutants/mutants tests/oracle_offsets $(QUIET)
	@KOCOON_OFFSETS=$(BUILD)/tests/oracle_offsets tests/mutants/run $(BUILD)/tests/mutants/mutants $(KIND) $(SEED) $(COUNT)

bench: ## how long it takes, beside depmod and beside a real kernel in an emulator
	@scripts/install-packages build test
	@scripts/fetch-kernel $(TEST_KINDS) >/dev/null
	$(call configure,build-bench,,-Dbuildtype=release)
	@ninja -C build-bench src/cli/kocoon bench/bench_live bench/hello.so tests/live/test_live_cycles tests/modules/stamp $(QUIET)
	@bench/run build-bench

asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/install-packages build test
	@scripts/fetch-kernel $(TEST_KINDS) >/dev/null
	$(call build,build-asan,,-Db_sanitize=address$(,)undefined -Db_lundef=false)
	@scripts/run-tests build-asan --timeout-multiplier 8 $(TESTS)

tsan: ## the tests of what is concurrent under ThreadSanitizer
	@scripts/install-packages build test
	@scripts/fetch-kernel $(TEST_KINDS) >/dev/null
	$(call build,build-tsan,,-Db_sanitize=thread -Db_lundef=false)
	@setarch -R scripts/run-tests build-tsan --timeout-multiplier 8 $(or $(TESTS),--suite concurrent)

# SECONDS are each target's; FUZZ=NAME runs only that one.
SECONDS ?= 60
FUZZ ?=
fuzz: ## look for inputs that break it: each target of tests/fuzz for a minute (SECONDS=), all or FUZZ=NAME
	@scripts/install-packages build test fuzz
	@scripts/fetch-kernel $(TEST_KINDS) >/dev/null
	$(call configure,build-fuzz,CC=clang,-Dfuzz=true -Db_sanitize=address$(,)undefined -Db_lundef=false)
	@ninja -C build-fuzz fuzz $(QUIET)
	@tests/fuzz/run build-fuzz $(SECONDS) $(FUZZ)

prove: ## what reads untrusted bytes is proved to stay inside them (Frama-C)
	@scripts/install-packages prove
	@tests/prove/run $(PROOFS)

clang: ## build with clang, warnings are errors
	@scripts/install-packages build test clang
	$(call build,build-clang,CC=clang,-Dwerror=true)

model: ## who loads, waits and unloads at one time: every order of steps, by spin
	@scripts/install-packages test
	@tests/model/run -v

kernels: ## look for newer kernels, and fetch them
	@scripts/install-packages build
	@scripts/fetch-kernel --newest $(TEST_KINDS)

oracle: ## a whole tree (KIND) before the real kernel and before kocoon, every byte and text; JSON in the build folder
	@scripts/install-packages build test
	@scripts/fetch-kernel $(KIND) >/dev/null
	$(call configure,$(BUILD))
	@ninja -C $(BUILD) tests/oracle/judge/judge tests/oracle/live/oracle_texts tests/oracle_offsets $(QUIET)
	@KOCOON_OFFSETS=$(BUILD)/tests/oracle_offsets tests/oracle/judge/run --json=$(BUILD)/oracle-$(KIND).json \
		$(BUILD)/tests/oracle/judge/judge $(KIND) || failed=1; \
	KOCOON_OFFSETS=$(BUILD)/tests/oracle_offsets tests/oracle/live/run --json=$(BUILD)/oracle-texts-$(KIND).json \
		$(BUILD)/tests/oracle/live/oracle_texts $(KIND) && [ -z "$$failed" ]

machine-oracle: ## a whole tree (KIND) in the machine and in the real kernel, init and exit; JSON in the build folder
	@scripts/install-packages build test
	@scripts/fetch-kernel $(KIND) >/dev/null
	$(call build,$(BUILD))
	@tests/oracle/machine/run --json=$(BUILD)/machine-oracle-$(KIND).json $(BUILD)/src/cli/kocoon $(KIND)

install: build ## install under PREFIX (/usr/local); DESTDIR is honoured
	@meson configure $(BUILD) --prefix=$(PREFIX) --libdir=lib && meson install -C $(BUILD)

clean: ## remove what was built; the cache of kernels stays
	rm -rf $(BUILD) build-asan build-tsan build-clang build-bench build-fuzz

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

, := ,
