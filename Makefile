# AIPass Hub. `make run` and `make test` do everything on a fresh Debian 12; `make help` lists the rest.

VERSION    := 0.1.0
SHELL      := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS  += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

# SAN=address,undefined or SAN=thread builds into a folder of its own.
# FAULTS=1 does, too: with the points of base/fault.h, where tests kill the gateway.
# So does COV=1: the modules of COV_MODULES count which of their branches are taken.
# FUZZ=clang builds fuzzers, FUZZ=replay the same without one: tests/fuzz/run.sh.
SAN        ?=
FAULTS     ?=
COV        ?=
FUZZ       ?=
COV_MODULES := ledger lease lease_table journal journal_step pricing price_list
comma      := ,
B          := build$(if $(FAULTS),-faults)$(if $(COV),-cov)$(if $(FUZZ),-fuzz-$(FUZZ))$(if $(SAN),-$(subst undefined,undef,$(subst address,asan,$(subst thread,tsan,$(subst $(comma),-,$(SAN))))))

CC         := gcc
AR         := gcc-ar
PKGS       := libcurl libmariadb json-c libcrypto libssl zlib
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS     := -lfcgi -lcurl -lmariadb -ljson-c -linih -lssl -lcrypto -lcrypt -lz -lpthread

WARN := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wvla \
        -Wnull-dereference -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wjump-misses-init \
        -Wimplicit-fallthrough=5 -Wpointer-arith -Wwrite-strings -Wundef -Wcast-qual -Wold-style-definition
HARD := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
        $(shell $(CC) -ftrivial-auto-var-init=zero -E -x c /dev/null >/dev/null 2>&1 && echo -ftrivial-auto-var-init=zero) -fPIE
OPT  := -O2 -g
ifeq ($(SAN)$(COV),)
HARD += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
ifneq ($(SAN),)
OPT  := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
WARN += -Wno-null-dereference
endif
ifneq ($(COV),)
$(COV_MODULES:%=$(B)/obj/db/%.o): OPT := -O0 -g --coverage -fprofile-update=atomic
endif
ifneq ($(FUZZ),)
OPT  := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
WARN := -Wall -Wextra
HARD := -fPIE
SAN_LINK := -fsanitize=address,undefined
endif
ifeq ($(FUZZ),clang)
CC   := clang-14
OPT  += -fsanitize=fuzzer-no-link
endif
CPPFLAGS += -I. -I$(B)/gen -D_GNU_SOURCE -DAIPASS_VERSION='"$(VERSION)"' $(PKG_CFLAGS)
CPPFLAGS += $(if $(FAULTS),-DAIPASS_FAULTS) $(if $(FUZZ),-DAIPASS_DEBUG)
CFLAGS   += -std=gnu17 $(OPT) $(WARN) $(if $(WERROR),-Werror) $(HARD)
LDFLAGS  += -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(if $(SAN),-fsanitize=$(SAN)) $(if $(COV),--coverage) $(SAN_LINK) $(RPATH)

LAYERS   := base db upstream fcgi handlers
LIB_SRC  := $(filter-out fcgi/main.c,$(wildcard $(LAYERS:%=%/*.c)))
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/obj/%.o) $(B)/obj/gen/migrations.o
CTL_OBJ  := $(patsubst %.c,$(B)/obj/%.o,$(wildcard ctl/*.c))
PROVIDER_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/provider/*.c))
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/unit/%)
UNIT_LIB := $(patsubst %.c,$(B)/obj/%.o,$(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c)))
CRASH_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/crash/*.c) $(filter-out tests/e2e/e2e.c tests/e2e/books.c tests/e2e/crowd.c tests/e2e/suite_%.c,$(wildcard tests/e2e/*.c)))
UNIT_KIT := $(patsubst %,$(B)/obj/tests/unit/%.o,mariadb invariants money_kit)
SIM_OBJ  := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/sim/*.c))
# Memory, locks and threads of the simulated processes are the simulator's.
SIM_WRAP := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc free log_write pthread_create pthread_join pthread_mutex_init \
              pthread_mutex_lock pthread_mutex_unlock pthread_mutex_destroy pthread_cond_init pthread_cond_signal \
              pthread_cond_broadcast pthread_cond_destroy)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(patsubst %.c,$(B)/%,$(filter-out %_kit.c,$(FUZZ_SRC)))
FUZZ_KIT := $(patsubst %,$(B)/obj/tests/%.o,fuzz/fuzz_kit unit/exchange_kit $(if $(filter clang,$(FUZZ)),,fuzz/replay))
FUZZ_LIB := $(patsubst %.c,$(B)/obj/%.o,$(wildcard base/*.c upstream/*.c))
E2E_OBJ  := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/e2e/*.c))

.PHONY: all
all: $(B)/aipass.fcgi $(B)/aipassctl

$(B)/aipass.fcgi: $(B)/obj/fcgi/main.o $(B)/libaipass.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/aipassctl: $(CTL_OBJ) $(B)/libaipass.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libaipass.a: $(LIB_OBJ)
	rm -f $@ && $(AR) rcs $@ $^

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/gen/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The SQL files travel inside the binaries, so that `aipassctl migrate` needs no path.
$(B)/gen/migrations.c: etc/embed-sql.sh $(wildcard db/migrations/*.sql db/*.sql)
	@mkdir -p $(@D)
	etc/embed-sql.sh db/migrations/*.sql db/views.sql > $@

$(B)/tests/provider/provider: $(PROVIDER_OBJ)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -ljson-c -lssl -lcrypto

$(B)/tests/bench/load: $(B)/obj/tests/bench/load.o $(B)/obj/tests/bench/load_options.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^

$(B)/tests/bench/money: $(B)/obj/tests/bench/money.o $(UNIT_KIT) $(B)/libaipass.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/tests/bench/translate: $(B)/obj/tests/bench/translate.o $(B)/obj/tests/unit/exchange_kit.o $(B)/libaipass.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/tests/unit/%: $(B)/obj/tests/unit/%.o $(UNIT_LIB) $(B)/libaipass.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcheck -lsubunit -lm -lrt

# It says when there is no memory, and when no thread can be made.
$(B)/tests/unit/test_money_memory: LDFLAGS += -Wl,--wrap=calloc,--wrap=malloc,--wrap=realloc,--wrap=pthread_create

$(B)/tests/unit/test_provider_%: $(B)/obj/tests/unit/test_provider_%.o $(filter-out %/provider.o,$(PROVIDER_OBJ))
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -ljson-c -lssl -lcrypto -lcheck -lsubunit -lm -lrt

$(B)/tests/e2e/e2e: $(E2E_OBJ) $(B)/obj/tests/unit/mariadb.o $(B)/libaipass.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcheck -lsubunit -lm -lrt

$(B)/tests/crash/crash: $(CRASH_OBJ) $(B)/obj/tests/unit/mariadb.o $(B)/obj/tests/unit/invariants.o $(B)/libaipass.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcheck -lsubunit -lm -lrt

$(B)/tests/sim/sim: $(SIM_OBJ) $(B)/libaipass.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(SIM_WRAP) -o $@ $^ $(LDLIBS)

$(B)/tests/fuzz/fuzz_%: $(B)/obj/tests/fuzz/fuzz_%.o $(FUZZ_KIT) $(B)/libfuzz.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(if $(filter clang,$(FUZZ)),-fsanitize=fuzzer) -o $@ $^ $(LDLIBS)

$(B)/libfuzz.a: $(FUZZ_LIB)
	rm -f $@ && $(AR) rcs $@ $^

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# ---- what people type ----

export SAN
export AIPASS_BUILD := $(CURDIR)/$(B)

.PHONY: provider unit-tests e2e-tests crash-tests sim-tests bench-tools run reconcile deps test unit e2e crash crash-short sdk sim mutants where coverage
.PHONY: faults fuzz-targets fuzz fuzz-short ctl hosts install-short test-hosts test-install lint format bench bench-reconcile money-bench docs docs-schema test-docs help test-clients
provider: $(B)/tests/provider/provider
unit-tests: $(UNIT_BIN)
e2e-tests: all provider $(B)/tests/e2e/e2e
crash-tests: all provider $(B)/tests/crash/crash
sim-tests: $(B)/tests/sim/sim
fuzz-targets: $(FUZZ_BIN)
bench-tools: $(B)/tests/bench/load $(B)/tests/bench/money $(B)/tests/bench/translate

run:
	@etc/run.sh

# The database of `make run`, which must be running.
VAR    ?= var
CONFIG ?= $(VAR)/etc/aipass.conf
reconcile: $(B)/aipassctl
	@$(B)/aipassctl ledger check --config $(CONFIG)

deps:
	@etc/install-deps.sh build run docs test lint bench

# The pages that the web server serves. A release brings them along, newer than what they are made from: hosts need neither
# lowdown nor highlight.
docs: $(B)/htdocs/docs/index.html

$(B)/htdocs/docs/index.html: etc/docs.sh etc/docs.awk etc/docs-search.awk $(wildcard htdocs/*.* htdocs/docs/* htdocs/docs/samples/*)
	@etc/install-deps.sh docs
	AIPASS_VERSION=$(VERSION) BASE_URL='$(BASE_URL)' etc/docs.sh $(B)/htdocs

# The schema reference follows the tables: this after a migration was added.
docs-schema: all
	@tests/docs/schema.sh --write

test:
	@tests/run-all.sh unit sim fuzz-short e2e crash-short ctl install-short hosts sdk docs run

unit e2e crash crash-short sdk fuzz-short:
	@tests/run-all.sh $@

# Agent programs: large, so no part of make test. ONLY='codex gemini' tries one of them at one kind of provider.
test-clients:
	@etc/install-deps.sh build run test
	@$(MAKE) -s all provider
	@tests/clients/run.sh $(ONLY)

# The documentation in a browser, and every sample of it: what make test leaves out.
test-docs:
	@tests/run-all.sh docs-full

# Which branches of the modules that count money do the unit tests take?
coverage:
	@COV_MODULES='$(COV_MODULES)' tests/coverage.sh

fuzz:
	@etc/install-deps.sh build fuzz
	@tests/fuzz/run.sh clang

# Every trouble of a provider with the timers of real life: about four minutes.
faults: e2e-tests
	@etc/install-deps.sh run test
	@$(B)/tests/e2e/e2e slow

# Where this build lies; for scripts.
where:
	@echo $(B)

ctl hosts install-short: all provider
	@tests/run-all.sh $@

HOSTS ?=
test-hosts: all provider
	@etc/install-deps.sh run docs test hosts
	@$(MAKE) -s docs
	@tests/hosts/run.sh $(HOSTS)

# Chroots of Debian, which stay in build/chroot: no part of make test. ONLY='build package' or ONLY=bundle.
test-install: all provider
	@etc/install-deps.sh build docs install
	@$(MAKE) -s man
	@tests/install/run.sh $(ONLY)

sim: sim-tests
	@$(B)/tests/sim/sim --seconds 60

mutants:
	@tests/mutants/run.sh

lint:
	@tests/lint.sh

format:
	@etc/install-deps.sh lint
	@find $(LAYERS) ctl tests -name '*.[ch]' -exec clang-format-14 -i {} +

bench: all provider bench-tools
	@tests/bench/run.sh

bench-reconcile: all
	@tests/bench/reconcile.sh

money-bench: all $(B)/tests/bench/money
	@$(B)/tests/bench/money

help:
	@echo 'make            build the gateway and aipassctl into $(B)/'
	@echo 'make run        build it, serve it here with a demo account and a demo provider; Ctrl-C ends it'
	@echo '                VAR=dir PORT=n FRESH=1 CHECK=1 PROVIDER_OPENAI_API_KEY=key PROVIDER_OPENAI_BASE_URL=url'
	@echo 'make reconcile  do the books of make run agree? VAR=dir CONFIG=file'
	@echo 'make docs       the documentation, into $(B)/htdocs; BASE_URL=https://... for your own address in it'
	@echo '                (make -B docs when only that changed)'
	@echo 'make test-docs  the documentation in a browser, and every sample of it'
	@echo 'make docs-schema  the schema reference anew, after a migration'
	@echo 'make dist       a tarball with the documentation made'
	@echo 'make test       all tests; make unit, make e2e, make sdk: a part of them'
	@echo '                SAN=address,undefined or SAN=thread: with a sanitizer'
	@echo 'make faults     how requests end when providers misbehave, with the timers of real life'
	@echo 'make test-clients  agent programs (Claude Code, Codex, Gemini CLI, OpenClaw; 2 GB) at providers of each kind; ONLY="codex gemini"'
	@echo 'make crash      kill the gateway at every fault point, and MariaDB, the web server, the disks; check the money (20 minutes)'
	@echo 'make crash-short  a sample of it, as in make test'
	@echo 'make coverage   every branch of the modules that count money is taken by the unit tests, or listed with its reason'
	@echo 'make sim        the money core simulated, for a minute, with seeds that nobody has run'
	@echo 'make mutants    put faults into a copy of the tree, one at a time: each must turn a test red'
	@echo 'make fuzz       fuzz parsers and translations with clang and sanitizers, FUZZ_SECONDS=60 each'
	@echo 'make fuzz-short the same inputs and some thousands like them with gcc, as in make test'
	@echo 'make lint       layout, static analysis, the rules of CONTRIBUTING.md'
	@echo 'make format     lay out all C files'
	@echo 'make bench      measure latency and throughput; make money-bench: leases and commits'
	@echo 'make bench-reconcile  how long a million requests take to check; ROWS=n'
	@echo 'make ctl        aipassctl: every command, and each check of its doctor'
	@echo 'make test-hosts the real web servers with the shipped snippets; HOSTS="nginx apache-cgi"'
	@echo 'make test-install  make install, the package and the bundle in chroots of Debian (root); ONLY="build package" or bundle'
	@echo 'make install-short  make install and make uninstall in a directory, as in make test'
	@echo 'make install    PREFIX=/usr/local DESTDIR=; make uninstall, make dist, make deb, make bundle'
	@echo 'make deps       install the Debian packages that all of these need'
	@echo 'make clean      remove what was built; var/, where make run keeps its data, stays'

include etc/install.mk

.PHONY: clean
clean:
	rm -rf build build-*
.SECONDARY:
