# make            builds into build/ (BUILD=dir: elsewhere)
# make run        installs what is missing, builds, starts the chat demo; LISTEN=host:port moves it
# make run-vm     the same with clones that are virtual machines
# make test       installs, builds, runs the whole suite; the last line counts
# make help       the other targets

BUILD = build
LUA = lua5.4
CFLAGS = -O2 -g

PREFIX = /usr/local
# not every shell expands the ~ of `make PREFIX=~/x`
override PREFIX := $(patsubst ~/%,$(HOME)/%,$(PREFIX))
BINDIR = $(PREFIX)/bin
CLIBDIR = $(PREFIX)/lib
INCDIR = $(PREFIX)/include
MANDIR = $(PREFIX)/share/man
LUADIR = $(PREFIX)/share/lua/5.4
LIBDIR = $(PREFIX)/lib/lua/5.4

# ---- what is built from what -------------------------------------------------

sources = $(foreach folder,$(1),$(wildcard csrc/$(folder)/*.c))

# One list for each program or library; the linker drops what it does not use.
LIB_SRC = $(call sources,base wire repair guest)
CORE_SRC = $(call sources,base wire repair guest http proxy lua)
ENGINE_SRC = $(call sources,base wire netlink engine engine/*)
AGENT_SRC = $(call sources,base wire netlink agent)
PRELOAD_QEMU_SRC = $(call sources,preload/qemu)

LIB = $(BUILD)/lib/libgridcentric.so
CORE = $(BUILD)/lib/gridcentric/core.so
ENGINE = $(BUILD)/lib/gridcentric/gridcentric-engine
AGENT = $(BUILD)/lib/gridcentric/gridcentric-agent
# preloaded into QEMU
PRELOAD = $(BUILD)/lib/gridcentric/gridcentric-preload.so
GCSCALE = $(BUILD)/bin/gcscale
# C modules for specs, which see inside: gridcentric.NAME from spec/c/NAME.c;
# those named engine_* link the engine's parts instead of the domain's
SPEC_SRC = $(wildcard spec/c/*.c)
SPEC_MODULES = $(SPEC_SRC:spec/c/%.c=$(BUILD)/spec/gridcentric/%.so)
EXAMPLES = $(patsubst examples/clone.c,$(BUILD)/bin/clone-example, \
	$(wildcard examples/clone.c))

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wno-unused-parameter $(if $(WERROR),-Werror)
COMPILE = $(CC) -std=gnu11 -fPIC -fvisibility=hidden -pthread \
	-D_GNU_SOURCE= -D_FILE_OFFSET_BITS=64 -Icsrc -ffunction-sections -MMD -MP $(WARNINGS) $(CFLAGS) $(SANITIZE)
LINK = $(CC) -pthread -Wl,--as-needed -Wl,--gc-sections $(CFLAGS) $(SANITIZE) $(LDFLAGS)

pkg = $(shell pkg-config $(1) 2>/dev/null)
LUA_CFLAGS := $(call pkg,--cflags lua5.4)
UV_CFLAGS := $(call pkg,--cflags libuv)
SODIUM_LIBS := $(call pkg,--libs libsodium)
SQLITE_LIBS := $(call pkg,--libs sqlite3)
JANSSON_LIBS := $(call pkg,--libs jansson)
MNL_LIBS := $(call pkg,--libs libmnl)
ENGINE_LIBS = $(SQLITE_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) $(MNL_LIBS)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

all: $(LIB) $(CORE) $(ENGINE) $(AGENT) $(PRELOAD) $(GCSCALE) $(EXAMPLES)

$(LIB): $(call objects,$(LIB_SRC))
	@mkdir -p $(@D)
	$(LINK) -shared -Wl,--no-undefined -Wl,-soname,$(@F).0 -o $@ $^ -ldl
	ln -sf $(@F) $@.0

$(CORE): $(call objects,$(CORE_SRC))
	@mkdir -p $(@D)
	$(LINK) -shared -o $@ $^ $(SODIUM_LIBS) -ldl

$(ENGINE): $(call objects,$(ENGINE_SRC))
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(ENGINE_LIBS)

# bound at its start: looking up a function costs a clone that is emulated
$(AGENT): $(call objects,$(AGENT_SRC))
	@mkdir -p $(@D)
	$(LINK) -Wl,-z,now -o $@ $^ $(MNL_LIBS)

# in a process that is not ours, so never with a sanitizer
$(PRELOAD): $(PRELOAD_QEMU_SRC) | tools
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -fPIC -fvisibility=hidden -D_GNU_SOURCE= $(WARNINGS) \
		-O2 -g -shared -o $@ $^ -ldl

$(BUILD)/spec/gridcentric/engine_%.so: $(BUILD)/obj/spec/c/engine_%.o \
		$(call objects,$(filter-out csrc/engine/main.c,$(ENGINE_SRC)))
	@mkdir -p $(@D)
	$(LINK) -shared -o $@ $^ $(ENGINE_LIBS)

$(BUILD)/spec/gridcentric/%.so: $(BUILD)/obj/spec/c/%.o \
		$(call objects,$(filter-out csrc/lua/%,$(CORE_SRC)))
	@mkdir -p $(@D)
	$(LINK) -shared -o $@ $^ $(SODIUM_LIBS) -ldl

$(BUILD)/bin/clone-example: $(call objects,examples/clone.c) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $< -L$(BUILD)/lib -lgridcentric -Wl,-rpath,'$$ORIGIN/../lib'

$(BUILD)/obj/csrc/lua/%.o $(BUILD)/obj/spec/c/%.o \
	$(BUILD)/obj/spec/bench/lua_%.o: COMPILE += $(LUA_CFLAGS)
$(BUILD)/obj/csrc/repair/uv.o: COMPILE += $(UV_CFLAGS)
$(BUILD)/obj/%.o: %.c | tools
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

-include $(patsubst %.o,%.d,$(call objects,$(CORE_SRC) \
	$(ENGINE_SRC) $(AGENT_SRC) $(SPEC_SRC) $(wildcard spec/bench/*.c) examples/clone.c))

# The command: a shell script that finds the Lua and C modules from its own
# place and hands them on by the environment, also to the programs it starts.
# $(1), $(2): where lua/ and lib/ lie, seen from the script.
define GCSCALE_SH
#!/bin/sh
# gcscale, with the modules that belong to it; they come before the user's own.
# A closed stdin, stdout or stderr would be the number of some other file.
true 3>&2 || exec 2>/dev/null
{ true 3<&0; } 2>/dev/null || exec </dev/null
{ true 3>&1; } 2>/dev/null || exec >/dev/null
here=$$(dirname -- "$$(readlink -f -- "$$0")")
lua=$$(cd -- "$$here/$(1)" && pwd) && lib=$$(cd -- "$$here/$(2)" && pwd) || exit
LUA_PATH="$$lua/?.lua;$$lua/?/init.lua;$${LUA_PATH_5_4:-$${LUA_PATH:-;}}"
LUA_CPATH="$$lib/?.so;$${LUA_CPATH_5_4:-$${LUA_CPATH:-;}}"
export LUA_PATH LUA_CPATH
unset LUA_PATH_5_4 LUA_CPATH_5_4
exec $(LUA) "$$lua/gcscale.lua" "$$@"
endef

from_bin = $(shell realpath -m --relative-to='$(1)' '$(2)')

$(GCSCALE): export TEXT = $(call GCSCALE_SH,$(call from_bin,$(@D),lua),../lib)
$(GCSCALE): Makefile | tools
	@mkdir -p $(@D)
	@printf '%s\n' "$$TEXT" >$@
	@chmod +x $@

# ---- setting up and running --------------------------------------------------

# Debian packages: what building and running need, what virtual machines do, and
# what only tests do.
DEPS = gcc libc6-dev make pkg-config lua5.4 liblua5.4-dev lua-luv lua-lpeg \
	lua-argparse lua-dkjson libuv1-dev libsqlite3-dev libsodium-dev libjansson-dev \
	libmnl-dev
# what virtual machines, and building their images, need besides
DEPS_VM = qemu-system-x86 qemu-utils busybox-static cpio e2fsprogs fdisk mtools \
	syslinux syslinux-common xz-utils zstd
# what examples/debian/make-image needs besides
DEPS_DEBIAN_IMAGE = mmdebstrap
DEPS_TEST = lua-busted lua-check luarocks mandoc man-db zsh fish curl procps strace \
	haproxy nginx apache2-utils wrk chromium chromium-driver fonts-dejavu-core valgrind cppcheck clang clang-format \
	libclang-rt-dev prometheus prometheus-node-exporter

tools:
	@CC='$(CC)' LUA='$(LUA)' .ci/missing

deps:
	@.ci/install-packages $(DEPS)

deps-vm:
	@.ci/install-packages $(DEPS) $(DEPS_VM)

deps-test:
	@.ci/install-packages $(DEPS) $(DEPS_VM) $(DEPS_TEST)

run: deps
	@$(MAKE) --no-print-directory all
	$(GCSCALE) examples/chat/policy.lua $(if $(LISTEN),--listen $(LISTEN))

run-vm: deps-vm
	@$(MAKE) --no-print-directory all
	$(GCSCALE) image build -o build/chat.img --app examples/chat
	$(GCSCALE) examples/chat/policy-vm.lua $(if $(LISTEN),--listen $(LISTEN))

# Exports for a shell: eval "$(make -s env)"
quote = '$(subst ','\'',$(1))'
env:
	@printf '%s\n' \
	'export PATH='$(call quote,$(call quote,$(abspath $(BUILD)/bin)))':"$$PATH"' \
	'export LUA_PATH='$(call quote,$(call quote,$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;))'"$${LUA_PATH_5_4:-$${LUA_PATH:-;}}"' \
	'export LUA_CPATH='$(call quote,$(call quote,$(abspath $(BUILD)/lib)/?.so;))'"$${LUA_CPATH_5_4:-$${LUA_CPATH:-;}}"' \
	'unset LUA_PATH_5_4 LUA_CPATH_5_4'

# ---- tests -------------------------------------------------------------------

# SPEC=name runs the spec files with that in their names; CHECK_FLAGS: see
# `lua5.4 spec/run.lua --help`.
CHECK = $(LUA) spec/run.lua --build $(BUILD) $(CHECK_FLAGS)

test: deps-test
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory check

spec-modules: $(SPEC_MODULES)

check: all spec-modules
	@$(CHECK) $(SPEC)

# What tests no code of ours in C, or with programs that do not bear foreign
# run-time libraries, is left to `check`.
NOT_OURS = --exclude-tags=lint,harness,browser,packaging,pure,qemu
# The specs with virtual machines, in which no foreign run-time library is: there
# the engine alone is built with it.
VM_SPECS = backend_contract qemu

# Undefined behaviour traps, so that one run-time library reports all, into
# files: what is on stderr may be read by nobody.
ASAN_CFLAGS = -O1 -g -fno-omit-frame-pointer
ASAN = -fsanitize=address,undefined -fsanitize-undefined-trap-on-error
ASAN_ENV = detect_leaks=0:handle_sigill=1:print_legend=0:log_path=@REPORTS@/asan
check-asan: BUILD = build-asan
check-asan: ASAN_BUILD = $(MAKE) --no-print-directory BUILD=$(BUILD) \
	CFLAGS='$(ASAN_CFLAGS)' SANITIZE='$(ASAN)'
check-asan:
	@$(ASAN_BUILD) all spec-modules
	@$(CHECK) $(NOT_OURS) --slowness 3 --env ASAN_OPTIONS=$(ASAN_ENV) \
		--env LD_PRELOAD=$$($(CC) -print-file-name=libasan.so) $(SPEC)

check-asan-vm: BUILD = build-asan
check-asan-vm: ASAN_BUILD = $(MAKE) --no-print-directory BUILD=$(BUILD) \
	CFLAGS='$(ASAN_CFLAGS)' SANITIZE='$(ASAN)'
check-asan-vm:
	@$(ASAN_BUILD) all
	@$(MAKE) --no-print-directory BUILD=build all spec-modules
	@$(CHECK) --build build --tags=qemu --slowness 3 \
		--env ASAN_OPTIONS=$(ASAN_ENV) --env \
		GRIDCENTRIC_ENGINE=$(abspath $(BUILD))/lib/gridcentric/gridcentric-engine \
		$(or $(SPEC),$(VM_SPECS))

# The suite on Debian 13, in a system that is set up for it: takes a while.
check-debian13:
	@.ci/in-debian trixie make test

# The engine asserts after each turn of its loop what must hold among its parts.
CHECKED = build-checked
check-invariants: all spec-modules
	@$(MAKE) --no-print-directory BUILD=$(CHECKED) CFLAGS='$(CFLAGS) -DGC_CHECK' \
		$(addprefix $(CHECKED)/lib/gridcentric/gridcentric-,engine preload.so)
	@$(CHECK) --env GRIDCENTRIC_ENGINE=$(abspath $(CHECKED))/lib/gridcentric/gridcentric-engine \
		$(SPEC)

# A stock Debian in virtual machines: many minutes, and a Debian mirror.
check-debian-image: all
	@.ci/install-packages $(DEPS_DEBIAN_IMAGE)
	@$(CHECK) spec/examples/debian_image.lua

comma = ,
empty =
UNTRACED = cat sleep true false dirname readlink make curl sqlite3 unshare
VALGRIND = valgrind -q --vgdb=no --trace-children=yes \
	--trace-children-skip=$(subst $(empty) ,$(comma),$(UNTRACED:%=*/%)) \
	--error-exitcode=99 --log-file=@REPORTS@/valgrind.%p \
	--suppressions=$(CURDIR)/spec/valgrind.supp

check-valgrind: all spec-modules
	@$(CHECK) $(NOT_OURS) --slowness 20 --wrap '$(VALGRIND)' $(SPEC)

# Each spec/fuzz/NAME_fuzz.c runs for FUZZ_SECONDS, from the seeds in
# spec/fuzz/corpus/NAME; findings are kept in build/fuzz/.
FUZZ_SRC = csrc/wire/wire.c csrc/base/err.c $(call sources,http)
FUZZ_SECONDS = 600
FUZZ = $(patsubst spec/fuzz/%_fuzz.c,%,$(wildcard spec/fuzz/*_fuzz.c))

fuzz: $(FUZZ:%=fuzz-%)
fuzz-%: $(BUILD)/fuzz/%
	@mkdir -p $(BUILD)/fuzz/corpus/$* spec/fuzz/corpus/$*
	$< -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(BUILD)/fuzz/$*- \
		$(BUILD)/fuzz/corpus/$* spec/fuzz/corpus/$*

$(BUILD)/fuzz/%: spec/fuzz/%_fuzz.c $(FUZZ_SRC) | tools
	@mkdir -p $(@D)
	clang -std=gnu11 -Icsrc -g -O1 -pthread \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-o $@ $^ $(SODIUM_LIBS)

# BENCH='clone proxy' runs these only. The helpers of spec/bench/ are programs
# and, if named lua_NAME.c, the Lua modules bench.NAME; stamped/ is all once
# more with a stamp at each call of a function, to see where the time goes.
BENCH_SRC = $(wildcard spec/bench/*.c)
BENCH_PROGRAMS = $(patsubst spec/bench/%.c,$(BUILD)/bench/%, \
	$(filter-out spec/bench/lua_%,$(BENCH_SRC)))
BENCH_MODULES = $(patsubst spec/bench/lua_%.c,$(BUILD)/bench/lib/bench/%.so, \
	$(filter spec/bench/lua_%,$(BENCH_SRC)))
BENCH_STAMPED = $(BUILD)/bench/stamped
# Functions with these in their names run for each descriptor, or field.
BENCH_UNSTAMPED = compare,has,option,value,size,local_port,fresh,is_,plan_socket,socket_plan,plan_fd,plan_tcp,plan_unix,plan_inet,plan_file,kind_of,read_tcp,socket_int,add_item,put,wire_

bench: all $(BENCH_PROGRAMS) $(BENCH_MODULES) bench-stamped
	@eval "$$($(MAKE) -s env)" && ulimit -n "$$(ulimit -Hn)" && \
		$(LUA) spec/bench/run.lua --build $(BUILD) $(BENCH)

# The same for virtual machines: spec/bench/vm/. What runs in them is one image.
BENCH_VM_IMAGE = $(BUILD)/bench/vm.img
BENCH_VM_GUEST = spec/bench/programs/vm_guest

bench-vm: all $(BENCH_PROGRAMS) $(BENCH_VM_IMAGE)
	@eval "$$($(MAKE) -s env)" && \
		$(LUA) spec/bench/run.lua --build $(BUILD) --vm $(BENCH)

$(BENCH_VM_IMAGE): $(wildcard $(BENCH_VM_GUEST)/*) $(AGENT) $(CORE) $(GCSCALE) \
		$(shell find lua/gridcentric -name '*.lua')
	@mkdir -p $(@D)
	$(GCSCALE) image build -o $@ --app $(BENCH_VM_GUEST)

bench-stamped:
	@$(MAKE) -s --no-print-directory BUILD=$(BENCH_STAMPED) \
		CFLAGS='$(CFLAGS) -finstrument-functions \
			-finstrument-functions-exclude-function-list=$(BENCH_UNSTAMPED)' \
		$(BENCH_STAMPED)/lib/gridcentric/core.so \
		$(BENCH_STAMPED)/lib/gridcentric/gridcentric-engine

$(BENCH_PROGRAMS): $(BUILD)/bench/%: $(BUILD)/obj/spec/bench/%.o
	@mkdir -p $(@D)
	$(LINK) -o $@ $<

$(BENCH_MODULES): $(BUILD)/bench/lib/bench/%.so: $(BUILD)/obj/spec/bench/lua_%.o
	@mkdir -p $(@D)
	$(LINK) -shared -o $@ $< -ldl

C_FILES = $(shell find csrc examples spec -name '*.[ch]')

# cppcheck reads no system headers, but it has to know the macros of these.
MACROS = sys/queue.h libmnl/libmnl.h
path_of = $(shell $(CC) -E -include $(1) -xc /dev/null | \
	sed -n 's,.*"\(/.*/$(1)\)".*,\1,p' | head -n1)

lint:
	@luacheck -q lua spec examples rockspec .ci
	@cppcheck -q --std=c11 -Icsrc --enable=warning,portability \
		$(foreach header,$(MACROS),--include=$(call path_of,$(header))) --suppress=missingIncludeSystem --inline-suppr --error-exitcode=1 csrc
	@clang-format --dry-run -Werror $(C_FILES)

format:
	clang-format -i $(C_FILES)

# what is made from data, such as the options in man/gcscale.1
generate:
	@$(LUA) .ci/generate.lua

# ---- installing --------------------------------------------------------------

# Where the Lua and C modules lie, seen from the installed gcscale.
FROM_BIN_LUA = $(call from_bin,$(BINDIR),$(LUADIR))
FROM_BIN_LIB = $(call from_bin,$(BINDIR),$(LIBDIR))
install-lua: export TEXT = $(call GCSCALE_SH,$(FROM_BIN_LUA),$(FROM_BIN_LIB))

install: install-lua install-c
	@[ -n "$(DESTDIR)" ] || \
		LUA='$(LUA)' .ci/installed '$(BINDIR)' '$(LUADIR)' '$(LIBDIR)' '$(CLIBDIR)'

# All that a Lua program and gcscale need.
install-lua: all
	find lua -name '*.lua' -printf '%P\n' | while read -r file; do \
		install -Dm644 "lua/$$file" "$(DESTDIR)$(LUADIR)/$$file" || exit; \
	done
	install -Dm755 $(CORE) "$(DESTDIR)$(LIBDIR)/gridcentric/core.so"
	for program in $(ENGINE) $(AGENT) $(PRELOAD); do \
		install -Dm755 $$program "$(DESTDIR)$(LIBDIR)/gridcentric/$${program##*/}" || exit; \
	done
	install -d "$(DESTDIR)$(BINDIR)"
	printf '%s\n' "$$TEXT" >"$(DESTDIR)$(BINDIR)/gcscale"
	chmod 755 "$(DESTDIR)$(BINDIR)/gcscale"

# The C library, which finds the engine beside itself, and the manual.
install-c: all
	install -Dm755 $(LIB) "$(DESTDIR)$(CLIBDIR)/$(notdir $(LIB)).0"
	ln -sf $(notdir $(LIB)).0 "$(DESTDIR)$(CLIBDIR)/$(notdir $(LIB))"
	for program in $(ENGINE) $(AGENT) $(PRELOAD); do \
		install -Dm755 $$program "$(DESTDIR)$(CLIBDIR)/gridcentric/$${program##*/}" || exit; \
	done
	install -Dm644 csrc/gridcentric/gc-guest.h "$(DESTDIR)$(INCDIR)/gridcentric/gc-guest.h"
	for page in $(wildcard man/*.[1-9]); do \
		install -Dm644 $$page "$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page#man/}" || exit; \
	done

# What both have installed, from this version of the sources.
PROGRAMS = $(notdir $(ENGINE) $(AGENT) $(PRELOAD))
uninstall:
	@{ find lua -name '*.lua' -printf '%P\n' | while read -r file; do \
		echo "$(DESTDIR)$(LUADIR)/$$file"; \
	done; \
	for file in core.so $(PROGRAMS); do echo "$(DESTDIR)$(LIBDIR)/gridcentric/$$file"; done; \
	for file in $(PROGRAMS); do echo "$(DESTDIR)$(CLIBDIR)/gridcentric/$$file"; done; \
	for file in $(notdir $(LIB)) $(notdir $(LIB)).0; do echo "$(DESTDIR)$(CLIBDIR)/$$file"; done; \
	for page in $(notdir $(wildcard man/*.[1-9])); do \
		echo "$(DESTDIR)$(MANDIR)/man$${page##*.}/$$page"; \
	done; \
	echo "$(DESTDIR)$(BINDIR)/gcscale"; \
	echo "$(DESTDIR)$(INCDIR)/gridcentric/gc-guest.h"; } | .ci/uninstall

clean:
	rm -rf build build-asan $(CHECKED) $(BUILD)

help:
	@sed -n '/^$$/q; s/^# //p' Makefile
	@echo 'make deps       installs what building and running need; deps-vm: virtual machines,'
	@echo '                too; deps-test: testing, too'
	@echo 'make env        prints what a shell needs: eval "$$(make -s env)"'
	@echo 'make check      the suite, without installing; SPEC=name: of these files only'
	@echo 'make check-asan, check-valgrind    the suite under a sanitizer, under valgrind'
	@echo 'make check-invariants    the suite with an engine that checks itself at each turn'
	@echo 'make check-debian13    builds and tests in a Debian 13 set up for it; needs root'
	@echo 'make check-debian-image    builds, boots and clones examples/debian; needs root'
	@echo 'make fuzz       feeds the parsers, each for FUZZ_SECONDS'
	@echo 'make bench      measures; BENCH=name: these only; bench-vm: virtual machines'
	@echo 'make lint       what luacheck, cppcheck and clang-format find; format: mends C'
	@echo 'make generate   brings generated parts of the manual up to date'
	@echo 'make install    into PREFIX, /usr/local; below DESTDIR'
	@echo 'make uninstall  removes what `make install` with the same PREFIX put there'
	@echo 'make clean      removes what was built'

.PHONY: check-debian-image all tools deps deps-vm deps-test run run-vm env spec-modules test check check-invariants check-asan check-asan-vm \
	check-valgrind check-debian13 fuzz bench bench-stamped bench-vm lint format generate install install-lua install-c uninstall clean help
.DELETE_ON_ERROR:
.SECONDARY:
