# mpl: Lua 5.4 with Python's multiprocessing.
#
#   make run      install what is missing, build, run the tour (examples/tour.lua)
#   make test     install what is missing, then everything that tests
#   make all      build mpl, and process.so for a stock Lua, with nothing installed
#   make check    layers, line lengths, warnings of gcc and clang, cppcheck, luacheck
#   make asan     C tests and specs under AddressSanitizer and UBSan
#   make tsan     C tests with threads in place of processes, under ThreadSanitizer
#   make torture  random operations, random kills: SECONDS=60 SEED=n
#   make bench    measurements, side by side with CPython where there is one
#   make install  into $(DESTDIR)$(PREFIX)
#   make deps     install all that any of these needs
#   make clean    remove what was built

# User settings ------------------------------------------------------------------------------------

PREFIX = /usr/local
DESTDIR =
CFLAGS = -O2 -g
LDFLAGS =

# Where Lua's headers are, and its static library, which the compiler finds.
LUA_CFLAGS = -isystem /usr/include/lua5.4
LUA_LIB = -l:liblua5.4.a

# Seconds after which a test program counts as hung, however busy the machine is.
TEST_TIMEOUT = 2000

# How long the torture lasts, and its seed; without one it takes a new one.
SECONDS = 60
SEED =

# Layers to build, lowest first. A file includes its own layer and those before it.
LAYERS = base sync shm ds proc bind host

# Nothing to change below --------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC = gcc
endif

# Without a -j of the user's, as many jobs as there are processors.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-print-directory

# `make V=1` shows every command.
$(V).SILENT:

# A flavour is a way to compile everything; each has a folder of its own under build/. The test
# flavours have numbered crash points (MPL_TEST).
FLAVOUR = release
FLAGS_release =
FLAGS_test = -O1 -DMPL_TEST
FLAGS_asan = -O1 -DMPL_TEST -fsanitize=address,undefined -fno-sanitize-recover=all \
             -fno-omit-frame-pointer
FLAGS_tsan = -O1 -DMPL_TEST -DMPL_TEST_THREADS -fsanitize=thread -Wno-tsan
# Only to see warnings. Some of gcc's need the optimiser, none of clang's.
FLAGS_strict = -Werror -g0 $(if $(findstring clang,$(CC)),-O0)
FLAGS_strict_test = $(FLAGS_strict) -DMPL_TEST
B = build/$(FLAVOUR)

WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
           -Wwrite-strings -Wpointer-arith -Wundef -Wvla
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE= -Isrc $(LUA_CFLAGS) $(WARNINGS) $(CFLAGS) \
             $(FLAGS_$(firstword $(subst -, ,$(FLAVOUR))))
ALL_LDFLAGS = $(LDFLAGS) $(filter -fsanitize=%,$(ALL_CFLAGS))
LIBS = -lm -ldl -lpthread

sources = $(foreach layer,$(filter $(LAYERS),$(1)),$(wildcard src/$(layer)/*.c))
LOWER = $(call sources,base sync shm ds proc)
BIND = $(call sources,bind)
HOST = $(call sources,host)
# The longest first: the runner starts them in this order.
TESTS = $(wildcard test/sweep_*.c) $(filter-out test/sweep_%,$(wildcard test/*.c))
TSAN_TESTS = $(shell grep -l MPL_TEST_THREADS $(TESTS) /dev/null)
SPECS = $(wildcard spec/*_spec.lua)
SCRIPTS = $(wildcard test/*.lua)

# Files and folders: a folder changes when a file comes or goes.
LUA_TREE = $(shell find lua)

objects = $(patsubst %.c,$(B)/$(2)/%.o,$(1))
LOWER_OBJECTS = $(call objects,$(LOWER),obj)
BIND_OBJECTS = $(call objects,$(BIND),obj)
MPL_OBJECTS = $(call objects,$(LOWER) $(BIND) $(HOST) build/embedded.c,obj)
SO_OBJECTS = $(call objects,$(LOWER) $(BIND) src/host/embed.c build/embedded.c,pic)
TEST_PROGRAMS = $(patsubst %.c,$(B)/%,$(TESTS))

.PHONY: all run test check asan tsan torture bench install clean deps
.PHONY: run-built test-programs tsan-programs strict-build
.PHONY: check-layers check-lines check-cppcheck check-lua check-warnings
.DELETE_ON_ERROR:
.SECONDARY:

all: mpl $(B)/process.so

mpl: build/release/mpl
	ln -f $< $@

$(B)/mpl: $(MPL_OBJECTS)
	echo "LD $@"
	$(CC) $(ALL_LDFLAGS) -Wl,-E,-z,now,-z,noseparate-code -o $@ $^ $(LUA_LIB) $(LIBS)

# Exports nothing but the open functions; Lua itself comes from the program that loads it.
$(B)/process.so: $(SO_OBJECTS) tools/process.map
	echo "LD $@"
	$(CC) $(ALL_LDFLAGS) -shared -Wl,--version-script=tools/process.map -o $@ $(SO_OBJECTS) $(LIBS)

build/embedded.c: tools/embed.sh $(LUA_TREE)
	mkdir -p $(@D)
	tools/embed.sh lua > $@

$(B)/obj/%.o: %.c Makefile
	mkdir -p $(@D)
	echo "CC $@"
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/pic/%.o: %.c Makefile
	mkdir -p $(@D)
	echo "CC $@"
	$(CC) $(ALL_CFLAGS) -fPIC -DMPL_SHARED -MMD -MP -c -o $@ $<

# A C test is linked with the layers below Lua. Of bind and Lua it gets what it uses and does not
# define itself. LINK_name has what the test test/name.c needs beyond that.
$(B)/test/%: $(B)/obj/test/%.o $(LOWER_OBJECTS) $(B)/libbind.a
	mkdir -p $(@D)
	echo "LD $@"
	$(CC) $(ALL_LDFLAGS) $(LINK_$*) -Wl,--as-needed,-z,now -o $@ $^ $(LUA_LIB) $(LIBS)

LINK_codec_test = -Wl,--wrap=malloc,--wrap=realloc,--wrap=free
LINK_alloc_test = $(LINK_codec_test),--wrap=calloc
LINK_alloc_lua_test = $(LINK_alloc_test)

$(B)/libbind.a: $(BIND_OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

-include $(patsubst %.o,%.d,$(MPL_OBJECTS) $(SO_OBJECTS) $(call objects,$(TESTS),obj))


run:
	tools/setup.sh run
	$(MAKE) run-built

run-built: mpl
	./mpl examples/tour.lua

# The C tests have crash points; the rest tests the program as it is shipped. The last line is the
# sum.
test:
	tools/setup.sh test
	$(MAKE) all
	$(MAKE) FLAVOUR=test test-programs
	lua5.4 tools/run_tests.lua --mpl mpl --so build/release --timeout $(TEST_TIMEOUT) \
	  $(TESTS:%.c=build/test/%) $(SPECS) $(SCRIPTS)

test-programs: $(TEST_PROGRAMS)

asan:
	tools/setup.sh test
	$(MAKE) all
	$(MAKE) FLAVOUR=asan build/asan/mpl test-programs
	lua5.4 tools/run_tests.lua --label asan: --mpl build/asan/mpl --so build/release \
	  --timeout $(TEST_TIMEOUT) \
	  $(TESTS:%.c=build/asan/%) $(SPECS)

# Only tests that know how to do with threads what others do with processes.
tsan:
	tools/setup.sh test
	$(MAKE) FLAVOUR=tsan tsan-programs
	lua5.4 tools/run_tests.lua --label tsan: --timeout $(TEST_TIMEOUT) $(TSAN_TESTS:%.c=build/tsan/%)

tsan-programs: $(TSAN_TESTS:%.c=$(B)/%)

# Without a FLAVOUR it is the test flavour: others have no crash points.
torture:
	tools/setup.sh test
	$(MAKE) FLAVOUR=$(TORTURE_FLAVOUR) build/$(TORTURE_FLAVOUR)/test/torture
	build/$(TORTURE_FLAVOUR)/test/torture $(SECONDS) $(SEED)

TORTURE_FLAVOUR = $(if $(filter release,$(FLAVOUR)),test,$(FLAVOUR))

bench: all
	./mpl bench/run.lua

check:
	tools/setup.sh check
	$(MAKE) check-layers check-lines check-cppcheck check-lua check-warnings

check-warnings:
	$(MAKE) CC=gcc FLAVOUR=strict-gcc strict-build
	$(MAKE) CC=gcc FLAVOUR=strict_test-gcc strict-build
	$(MAKE) CC=clang FLAVOUR=strict-clang strict-build
	$(MAKE) CC=clang FLAVOUR=strict_test-clang strict-build

# Test programs need the crash points of the test flavours.
strict-build: $(MPL_OBJECTS) $(call objects,$(wildcard bench/*.c),obj) \
              $(if $(findstring test,$(FLAVOUR)),$(call objects,$(TESTS),obj))

check-layers:
	lua5.4 tools/check_layers.lua --self-test
	lua5.4 tools/check_layers.lua src $(LAYERS)

check-lines:
	lua5.4 tools/check_lines.lua --self-test
	lua5.4 tools/check_lines.lua $(wildcard src test bench)

# cppcheck does not see that mpl_exit_child returns to nobody.
check-cppcheck:
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	  --suppress=normalCheckLevelMaxBranches --suppress='*:/usr/include/*' \
	  --suppress=nullPointerRedundantCheck:test/* --error-exitcode=1 \
	  -Isrc $(LUA_CFLAGS:-isystem=-I) -D_GNU_SOURCE $(wildcard src test bench)

check-lua:
	luacheck --quiet $(wildcard lua spec test tools examples bench)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/lua/5.4
	install -m 755 mpl $(DESTDIR)$(PREFIX)/bin/mpl
	install -m 644 build/release/process.so $(DESTDIR)$(PREFIX)/lib/lua/5.4/process.so

deps:
	tools/setup.sh all

clean:
	rm -rf build mpl
