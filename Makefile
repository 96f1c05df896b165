# loris: make demo | check | all | setup | bench | asan | planted | coverage | tidy |
# install | clean.
# Sources are found by folder: a new .c file needs no line here. V=1 shows the commands.
#
#   build/obj      objects of the program; stack code with the callback that counts basic blocks
#   build/plain    stack code without it: what unit tests of layers and the isolation check take
#   build/tests    test programs, one a test file
#   build/planted  the program again with -DLORIS_PLANTED: defects to choose from
#   build/asan     the program and its tests again under ASan and UBSan
BUILD ?= build
PREFIX ?= /usr/local
OPT ?= -O3 -g
SAN ?=
DEFS ?=
ifeq ($(origin CC),default)
CC := gcc
endif

# Parallel unless -j was given; a sub-make shares the job server of its parent.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-print-directory

# A word a file in place of the command.
say = $(if $(V),,@printf '  %-5s %s\n' $(if $(filter %.o,$@),cc,link) $(@:$(BUILD)/%=%);)

# What a command prints, asked when first needed: until `make setup` ran there is no pkg-config.
once = $(eval $(1) := $(shell $(2)))$($(1))

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Werror
PACKAGES := gsl sqlite3 libfyaml libisal
PACKAGE_CFLAGS = $(call once,PACKAGE_CFLAGS,pkg-config --cflags $(PACKAGES))
PACKAGE_LIBS = $(call once,PACKAGE_LIBS,pkg-config --libs $(PACKAGES))
CHECK_LIBS = $(call once,CHECK_LIBS,pkg-config --libs check)
HOST_CFLAGS = -std=gnu17 $(OPT) $(WARN) $(SAN) $(DEFS) -fno-pie -fcf-protection=none -I. \
  -Istack/include -MMD -MP $(PACKAGE_CFLAGS)
HOST_LIBS = $(PACKAGE_LIBS) -lm

# Stack code sees the compiler's own headers and stack/include, and calls nothing but the platform.
COMPILER_INCLUDE = $(call once,COMPILER_INCLUDE,$(CC) -print-file-name=include)
STACK_BASE = -std=c17 $(OPT) $(WARN) $(SAN) $(DEFS) -fno-pie -fcf-protection=none \
  -fno-stack-protector -ffreestanding -fbuiltin -nostdinc -isystem $(COMPILER_INCLUDE) \
  -Istack/include -Istack/classic/common -MMD -MP
STACK_CFLAGS = $(STACK_BASE) -fsanitize-coverage=trace-pc

# Where the compiler and the processor allow it, the count of blocks is held in a register, and each
# call of the callback becomes a decrement in place (sim/coroutine.h). Then all code keeps off it.
COUNTER := $(if $(SAN),,$(shell $(CC) -dumpmachine | grep -q '^x86_64.*linux' && \
  echo 'int x;' | $(CC) -ffixed-r15 -fsanitize-coverage=trace-pc -x c -S - -o /dev/null 2>/dev/null && \
  echo -ffixed-r15))
HOST_CFLAGS += $(COUNTER) $(if $(COUNTER),-DSIM_BLOCKS_IN_REGISTER)

# With REACH (`make coverage`) each block also notes that it was reached, the layers' test programs' too.
REACH ?=
BLOCKS_SED := $(if $(REACH),scripts/coverage/reach_blocks.sed,scripts/count_blocks.sed)
REACHED = $(if $(REACH),$(BUILD)/obj/scripts/coverage/reached.o)
comma := ,
REACHED_WRAP := $(if $(REACH),-Wl$(comma)--wrap=plat_probe)

# Structures of the size of a message: not by string instructions, whose start alone costs more.
NO_STRINGS := $(foreach it,memset memcpy,-m$(it)-strategy=unrolled_loop:256:noalign,libcall:-1:noalign)
STRINGS := $(if $(COUNTER),$(NO_STRINGS))
HOST_CFLAGS += $(STRINGS)
STACK_BASE += $(STRINGS)

# Objects of other flags are not mixed with these.
FLAGS := $(BUILD)/flags
$(shell mkdir -p $(BUILD) && echo '$(CC) $(OPT) $(SAN) $(DEFS) $(COUNTER)' > $(FLAGS).new && \
  { cmp -s $(FLAGS).new $(FLAGS) && rm $(FLAGS).new || mv $(FLAGS).new $(FLAGS); })

HOST_DIRS := sim faults workloads results campaign
HOST_SRC := $(shell find $(HOST_DIRS) -name '*.c' -not -path '*/tests/*') $(wildcard stack/*.c)
STACK_DIRS := stack/proto stack/loris stack/classic
STACK_SRC := $(shell find $(STACK_DIRS) -name '*.c' -not -path '*/tests/*')
HOST_ASM := $(shell find sim -name '*.S')
MAIN_SRC := campaign/main.c

HOST_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(MAIN_SRC),$(HOST_SRC))) \
  $(patsubst %.S,$(BUILD)/obj/%.o,$(HOST_ASM))
STACK_OBJ := $(STACK_SRC:%.c=$(BUILD)/obj/%.o)
PLAIN_OBJ := $(STACK_SRC:%.c=$(BUILD)/plain/%.o)
PROTO_OBJ := $(filter $(BUILD)/obj/stack/proto/%,$(STACK_OBJ))
PROTO_PLAIN := $(filter $(BUILD)/plain/stack/proto/%,$(PLAIN_OBJ))
# What the classic file systems share is no layer; each of them has it linked in.
COMMON := stack/classic/common
LAYERS := $(sort $(patsubst %/,%,$(dir $(filter-out stack/proto/% $(COMMON)/%,$(STACK_SRC)))))
COMMON_LAYERS := $(filter-out stack/classic/blockraid,$(filter stack/classic/%,$(LAYERS)))
# common_of LAYER, BUILD FOLDER: the shared objects that it is linked with.
common_of = $(if $(filter $(1),$(COMMON_LAYERS)),$(filter $(BUILD)/$(2)/$(COMMON)/%,$(STACK_OBJ) $(PLAIN_OBJ)))

# Test programs: one a file. Those of stack/ link the plain stack and a fake platform, the others
# all.
TEST_SRC := $(shell find $(HOST_DIRS) -path '*/tests/*' -name 'test_*.c')
STACK_TEST_SRC := $(shell find stack/tests -name 'test_*.c')
TEST_RIG_SRC := $(filter-out $(TEST_SRC),$(shell find $(HOST_DIRS) -path '*/tests/*' -name '*.c'))
TESTS := $(TEST_SRC:%.c=$(BUILD)/tests/%) $(STACK_TEST_SRC:%.c=$(BUILD)/tests/%)

.PHONY: all setup demo demo-built check check-built check-asan check-planted unit bench asan planted
.PHONY: tidy install clean
all: $(BUILD)/loris

# ---- What users call ----------------------------------------------------------------------------

setup:
	@scripts/setup.sh build

# In a make of its own, which sees what setup has just installed.
demo: setup
	@$(MAKE) demo-built
demo-built: all
	@scripts/demo.sh $(BUILD)

check:
	@scripts/setup.sh tidy
	@$(MAKE) check-built
# The long ones first.
CHECK_SCRIPTS := $(patsubst %,scripts/check/%.sh,planted tidy campaigns asan determinism trace gate explore deaths known spares names people resume shrink badinput documents isolation)
check-built: all $(TESTS) $(PLAIN_OBJ) asan planted
	@BUILD=$(BUILD) CC=$(CC) scripts/check/all.sh $(CHECK_SCRIPTS) $(TESTS) \
	  $(TESTS:$(BUILD)/%=$(BUILD)/asan/%)

bench: all
	@$(BUILD)/loris bench

install: all
	install -D $(BUILD)/loris $(DESTDIR)$(PREFIX)/bin/loris
	scripts/man/man.sh $(BUILD)/loris >$(BUILD)/loris.1
	install -D -m 644 $(BUILD)/loris.1 $(DESTDIR)$(PREFIX)/share/man/man1/loris.1
	install -D -m 644 scripts/completion/loris.bash \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions/loris
	install -d $(DESTDIR)$(PREFIX)/share/loris
	cp -R scripts/campaigns $(DESTDIR)$(PREFIX)/share/loris/

clean:
	rm -rf $(BUILD)

# ---- What developers call -----------------------------------------------------------------------

# make unit, or unit-sim, unit-stack ...: all test programs, or those of one folder; make unit
# IN=stack/tests/loris/cache: of one further down.
IN ?=
UNIT := $(filter $(BUILD)/tests/$(IN)%,$(TESTS))
unit: $(UNIT)
	@BUILD=$(BUILD) scripts/check/all.sh $^
unit-%:
	@$(MAKE) unit IN=$*/

# The same sources with other flags, in a folder of their own. Warnings are the plain build's matter:
# gcc warns of code that the sanitizers put in.
asan:
	@$(MAKE) BUILD=$(BUILD)/asan OPT='-O1 -g' \
	  SAN='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -w' all tests
planted:
	@$(MAKE) BUILD=$(BUILD)/planted DEFS=-DLORIS_PLANTED all $(BUILD)/planted/run-planted \
	  $(HAZARD_TEST_SRC:%.c=$(BUILD)/planted/tests/%)
HAZARD_TEST_SRC = $(shell grep -lE '_h[0-3][0-9]_' $(TEST_SRC) $(STACK_TEST_SRC))
.PHONY: tests
tests: $(TESTS)

# The program and the tests of the stack again, noting which basic blocks of the stack and which probes
# they reach. Nothing is inlined, so that a function entered is one seen.
.PHONY: coverage coverage-built
coverage:
	@scripts/setup.sh build
	@$(MAKE) BUILD=$(BUILD)/coverage OPT='-O1 -g -fno-inline -w -fdebug-prefix-map=$(CURDIR)=.' REACH=1 coverage-built
REACH_TESTS = $(STACK_TEST_SRC:%.c=$(BUILD)/tests/%) $(filter $(BUILD)/tests/campaign/tests/hazards/%,$(TESTS))
coverage-built: $(BUILD)/reaching $(REACH_TESTS)
	@scripts/coverage/coverage.sh $^

tidy:
	@scripts/setup.sh tidy
	@$(MAKE) tidy-run
.PHONY: tidy-run
tidy-run:
	@PACKAGE_CFLAGS='$(PACKAGE_CFLAGS)' scripts/tidy.sh

# ---- Rules --------------------------------------------------------------------------------------

ifeq ($(COUNTER),)
define STACK_RULE
$(BUILD)/obj/$(1)/%.o: $(1)/%.c $(FLAGS)
	@mkdir -p $$(@D)
	$$(say)$$(CC) $$(STACK_CFLAGS) -c $$< -o $$@
endef
else
define STACK_RULE
$(BUILD)/obj/$(1)/%.o: $(1)/%.c $(FLAGS) $(BLOCKS_SED)
	@mkdir -p $$(@D)
	$$(say)$$(CC) $$(STACK_CFLAGS) $$(COUNTER) -MT $$@ -S $$< -o $$(@:.o=.s) && \
	  sed -i -f $(BLOCKS_SED) $$(@:.o=.s) && $$(CC) -c $$(@:.o=.s) -o $$@ && rm $$(@:.o=.s)
endef
endif
$(foreach dir,$(STACK_DIRS),$(eval $(call STACK_RULE,$(dir))))
ifeq ($(REACH),)
$(BUILD)/plain/%.o: %.c $(FLAGS)
	@mkdir -p $(@D)
	$(say)$(CC) $(STACK_BASE) -c $< -o $@
else
$(BUILD)/plain/%.o: %.c $(FLAGS) scripts/coverage/reach_plain.sed
	@mkdir -p $(@D)
	$(say)$(CC) $(STACK_CFLAGS) -MT $@ -S $< -o $(@:.o=.s) && \
	  sed -i -f scripts/coverage/reach_plain.sed $(@:.o=.s) && $(CC) -c $(@:.o=.s) -o $@ && rm $(@:.o=.s)
endif
$(BUILD)/obj/%.o: %.c $(FLAGS)
	@mkdir -p $(@D)
	$(say)$(CC) $(HOST_CFLAGS) -c $< -o $@
$(BUILD)/obj/%.o: %.S $(FLAGS)
	@mkdir -p $(@D)
	$(say)$(CC) $(HOST_CFLAGS) -c $< -o $@

# A layer is one object that shows nothing but its main: layers cannot call each other's functions,
# and may use the same names. Each has protocols of its own, which count blocks; the laboratory has
# plain ones.
define LAYER_RULE
$(BUILD)/obj/$(1).layer.o: $$(filter $(BUILD)/obj/$(1)/%.o,$$(STACK_OBJ)) \
  $$(call common_of,$(1),obj) $$(PROTO_OBJ)
	$$(say)ld -r -o $$@ $$^ && objcopy --keep-global-symbol=$(notdir $(1))_main $$@
endef
$(foreach layer,$(LAYERS),$(eval $(call LAYER_RULE,$(layer))))

$(BUILD)/libloris.a: $(HOST_OBJ) $(PROTO_PLAIN) $(LAYERS:%=$(BUILD)/obj/%.layer.o)
	@rm -f $@
	$(say)ar qcs $@ $^

$(BUILD)/loris: $(BUILD)/obj/$(MAIN_SRC:.c=.o) $(BUILD)/libloris.a
	$(say)$(CC) -no-pie $(OPT) $(SAN) -o $@ $^ $(HOST_LIBS)

# Only a build with LORIS_PLANTED has what it calls.
$(BUILD)/run-planted: $(BUILD)/obj/scripts/check/planted.o $(BUILD)/libloris.a
	$(say)$(CC) -no-pie $(OPT) $(SAN) -o $@ $^ $(HOST_LIBS)

# Linked last, so that it ends the section of what was reached.
$(BUILD)/reaching: $(BUILD)/obj/$(MAIN_SRC:.c=.o) $(BUILD)/libloris.a $(REACHED)
	$(say)$(CC) -no-pie $(OPT) $(REACHED_WRAP) -o $@ $^ $(HOST_LIBS)

# A test of a layer links that layer, the fake platform, its own folder's helpers, and of the protocols
# (and the layer below) what it calls and does not put a fake in the place of.
$(BUILD)/libplain.a: $(PLAIN_OBJ)
	@rm -f $@
	$(say)ar qcs $@ $^
define STACK_TEST_RULE
$(BUILD)/tests/stack/tests/$(1)/test_%: $(BUILD)/obj/stack/tests/$(1)/test_%.o \
  $$(patsubst %.c,$(BUILD)/obj/%.o,$$(filter-out $$(STACK_TEST_SRC),$$(wildcard stack/tests/*.c stack/tests/$(1)/*.c))) \
  $$(filter $(BUILD)/plain/stack/$(1)/%.o,$$(PLAIN_OBJ)) $$(call common_of,stack/$(1),plain) \
  $(BUILD)/libplain.a $(REACHED)
	@mkdir -p $$(@D)
	$$(say)$$(CC) -no-pie $$(OPT) $$(SAN) $(REACHED_WRAP) -o $$@ $$^ $$(CHECK_LIBS) -lisal
endef
$(foreach layer,$(sort $(LAYERS) stack/proto),$(eval $(call STACK_TEST_RULE,$(layer:stack/%=%))))

# Any other test links the whole program, and of the helpers of its top folder's tests what it calls.
define HOST_TEST_RULE
$(BUILD)/obj/$(1)/tests/librig.a: $$(patsubst %.c,$(BUILD)/obj/%.o,$$(filter $(1)/%,$$(TEST_RIG_SRC)))
	@mkdir -p $$(@D) && rm -f $$@
	$$(say)ar qcs $$@ $$^
$(BUILD)/tests/$(1)/%: $(BUILD)/obj/$(1)/%.o $(BUILD)/obj/$(1)/tests/librig.a $(BUILD)/libloris.a $(REACHED)
	@mkdir -p $$(@D)
	$$(say)$$(CC) -no-pie $$(OPT) $$(SAN) $(REACHED_WRAP) -o $$@ $$^ $$(CHECK_LIBS) $$(HOST_LIBS)
endef
$(foreach dir,$(HOST_DIRS),$(eval $(call HOST_TEST_RULE,$(dir))))

.SECONDARY:
-include $(shell find $(BUILD)/obj $(BUILD)/plain -name '*.d' 2>/dev/null)
