# loris: make demo | check | all | setup | bench | asan | tidy | install.  Sources are found by folder:
# a new .c file needs no line here.
CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
OPT ?= -O2 -g
SAN ?=

# V=1 shows the commands, else a word a file.
say = $(if $(V),,@printf '  %-5s %s\n' $(if $(filter %.o,$@),cc,link) $(@:$(BUILD)/%=%);)

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Werror
PACKAGES := gsl sqlite3 libfyaml libisal
HOST_CFLAGS = -std=gnu17 $(OPT) $(WARN) $(SAN) -fno-pie -fcf-protection=none -I. -Istack/include \
  -MMD -MP $(shell pkg-config --cflags gsl sqlite3 libfyaml libisal 2>/dev/null)
HOST_LIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm

# Stack code sees the compiler's own headers and stack/include, and calls nothing but the platform.
STACK_BASE = -std=c17 $(OPT) $(WARN) -fno-pie -fcf-protection=none -fno-stack-protector \
  -ffreestanding -fbuiltin -nostdinc -isystem $(shell $(CC) -print-file-name=include) \
  -Istack/include -MMD -MP
STACK_CFLAGS = $(STACK_BASE) $(SAN) -fsanitize-coverage=trace-pc

HOST_DIRS := sim faults workloads results campaign
HOST_SRC := $(shell find $(HOST_DIRS) -name '*.c' -not -path '*/tests/*') $(wildcard stack/*.c)
STACK_SRC := $(shell find stack/proto stack/loris stack/classic -name '*.c' -not -path '*/tests/*')
HOST_ASM := $(shell find sim -name '*.S')
MAIN_SRC := campaign/main.c

HOST_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(MAIN_SRC),$(HOST_SRC))) \
  $(patsubst %.S,$(BUILD)/obj/%.o,$(HOST_ASM))
STACK_OBJ := $(STACK_SRC:%.c=$(BUILD)/obj/%.o)
PLAIN_OBJ := $(STACK_SRC:%.c=$(BUILD)/plain/%.o)
PROTO_OBJ := $(filter $(BUILD)/obj/stack/proto/%,$(STACK_OBJ))
PROTO_PLAIN := $(filter $(BUILD)/plain/stack/proto/%,$(PLAIN_OBJ))
LAYERS := $(sort $(patsubst %/,%,$(dir $(filter-out stack/proto/%,$(STACK_SRC)))))

# Test programs: one a file. Those of stack/ link the plain stack and a fake platform, the others all.
TEST_SRC := $(shell find $(HOST_DIRS) -path '*/tests/*' -name 'test_*.c')
STACK_TEST_SRC := $(shell find stack/tests -name 'test_*.c')
TEST_RIG_SRC := $(filter-out $(TEST_SRC),$(shell find $(HOST_DIRS) -path '*/tests/*' -name '*.c'))
TESTS := $(TEST_SRC:%.c=$(BUILD)/tests/%)
STACK_TESTS := $(STACK_TEST_SRC:%.c=$(BUILD)/tests/%)

.PHONY: all setup demo check unit clean
all: $(BUILD)/loris

$(BUILD)/obj/stack/proto/%.o: stack/proto/%.c
	@mkdir -p $(@D)
	$(say)$(CC) $(STACK_CFLAGS) -c $< -o $@
$(BUILD)/obj/stack/loris/%.o: stack/loris/%.c
	@mkdir -p $(@D)
	$(say)$(CC) $(STACK_CFLAGS) -c $< -o $@
$(BUILD)/obj/stack/classic/%.o: stack/classic/%.c
	@mkdir -p $(@D)
	$(say)$(CC) $(STACK_CFLAGS) -c $< -o $@
$(BUILD)/plain/%.o: %.c
	@mkdir -p $(@D)
	$(say)$(CC) $(STACK_BASE) $(SAN) -c $< -o $@
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say)$(CC) $(HOST_CFLAGS) -c $< -o $@
$(BUILD)/obj/%.o: %.S
	@mkdir -p $(@D)
	$(say)$(CC) $(HOST_CFLAGS) -c $< -o $@

# A layer is one object that shows nothing but its main: layers cannot call each other's functions, and
# may use the same names.
define LAYER_RULE
$(BUILD)/obj/$(1).layer.o: $$(filter $(BUILD)/obj/$(1)/%.o,$$(STACK_OBJ))
	$$(say)ld -r -o $$@ $$^ && objcopy -w --keep-global-symbol='*_main' $$@
endef
$(foreach layer,$(LAYERS),$(eval $(call LAYER_RULE,$(layer))))

$(BUILD)/libloris.a: $(HOST_OBJ) $(PROTO_OBJ) $(LAYERS:%=$(BUILD)/obj/%.layer.o)
	@rm -f $@
	$(say)ar qcs $@ $^

$(BUILD)/loris: $(BUILD)/obj/campaign/main.o $(BUILD)/libloris.a
	$(say)$(CC) -no-pie $(OPT) $(SAN) -o $@ $^ $(HOST_LIBS)

# A test of a layer links that layer, the protocols, the fake platform and its own folder's helpers.
define STACK_TEST_RULE
$(BUILD)/tests/stack/tests/$(1)/test_%: $(BUILD)/obj/stack/tests/$(1)/test_%.o \
  $$(patsubst %.c,$(BUILD)/obj/%.o,$$(filter-out $$(STACK_TEST_SRC),$$(wildcard stack/tests/*.c stack/tests/$(1)/*.c))) \
  $$(filter $(BUILD)/plain/stack/$(1)/%.o,$$(PLAIN_OBJ)) $$(PROTO_PLAIN)
	@mkdir -p $$(@D)
	$$(say)$$(CC) -no-pie $$(OPT) $$(SAN) -o $$@ $$(sort $$^) -lcheck_pic -lsubunit -lpthread -lrt -lm -lisal
endef
$(foreach layer,$(LAYERS) stack/proto,$(eval $(call STACK_TEST_RULE,$(layer:stack/%=%))))
$(BUILD)/tests/%: $(BUILD)/obj/%.o $(TEST_RIG_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/libloris.a
	@mkdir -p $(@D)
	$(say)$(CC) -no-pie $(OPT) $(SAN) -o $@ $^ -lcheck_pic -lsubunit -lpthread -lrt $(HOST_LIBS)

# make unit-sim, unit-stack, unit-results ...: the tests of one folder.
unit-%: all-tests-%
	@set -e; for t in $(filter $(BUILD)/tests/$*/%,$(TESTS) $(STACK_TESTS)); do $$t; done
all-tests-%:
	@$(MAKE) --no-print-directory $(filter $(BUILD)/tests/$*/%,$(TESTS) $(STACK_TESTS))
unit: $(TESTS) $(STACK_TESTS)
	@set -e; for t in $^; do $$t; done

clean:
	rm -rf $(BUILD)

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
