/*
 * Wrong campaign files: every error is a line FILE:LINE:COL: ..., all of them come at once, and no
 * input whatever crashes the parser. Each row gives a file and, a line each, what must be said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaign/plan.h"
#include "results/temp_folder.h"
#include "scripts/check_main.h"

/* What a row that is not about them needs to be whole; on the lines behind the row's own. */
#define VARIANTS "variants: {v: {stack: loris}}\n"
#define WORKLOADS "workloads: {w: {app: fsx}}\n"
#define FAULTS "faults: {f: []}\n"
#define REST VARIANTS WORKLOADS FAULTS
#define TOP "campaign: c\n"
#define V TOP WORKLOADS FAULTS "variants:\n" /* 4 lines: the next is line 5 */
#define W TOP VARIANTS FAULTS "workloads:\n" /* the same */
#define F TOP VARIANTS WORKLOADS "faults:\n" /* the same */
#define ONE TOP REST                         /* a sound file of 4 lines */
#define MUTATIONS 4000

struct row {
    const char *text;
    const char *lines; /* beginnings of the lines that must come, in order, without "t.yaml:" */
};

static char *errors;
static size_t errors_bytes;

static struct plan *load(const char *text, const char *set)
{
    free(errors);
    FILE *to = open_memstream(&errors, &errors_bytes);
    struct plan_request request = {.path = "t.yaml", .sets = &set, .set_count = set != NULL};
    struct plan *plan = plan_load_text(text, &request, to);
    (void)fclose(to);
    return plan;
}

/* Checks that each line of `errors` begins as the row's line does, and that none is left over. */
static void check_lines(const struct row *row, const char *prefix)
{
    const char *have = errors, *want = row->lines;
    while (*want != '\0') {
        size_t length = strcspn(want, "\n");
        ck_assert_msg(strncmp(have, prefix, strlen(prefix)) == 0, "%s\nsays: %s", row->text,
                      errors);
        have += strlen(prefix);
        ck_assert_msg(strncmp(have, want, length) == 0, "%s\nwant: %.*s\nsays: %s", row->text,
                      (int)length, want, errors);
        have = strchr(have, '\n');
        ck_assert_ptr_nonnull(have);
        have++;
        want += length + (want[length] == '\n');
    }
    ck_assert_msg(*have == '\0', "%s\nsays more: %s", row->text, have);
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        struct plan *plan = load(rows[k].text, NULL);
        ck_assert_msg(plan == NULL, "accepted: %s", rows[k].text);
        check_lines(&rows[k], "t.yaml:");
    }
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

START_TEST(test_bad__syntax)
{
    static const struct row rows[] = {
        {"", "1:1: is empty"},
        {"\n\n# nothing\n", "1:1: is empty"},
        {"- a\n", "1:1: a campaign file is a map"},
        {"text", "1:1: a campaign file is a map"},
        {"a: [1,\nb: 2\n", "2:1: is not YAML: wrongly indented flow sequence"},
        {"a: 1\n  b: 2\n", "1:4: is not YAML: invalid multiline plain key"},
        {TOP REST "---\na: b\n", "5:1: a second document begins"},
        {"%YAML 1.1\n---\n" TOP REST, "1:1: asks for YAML 1.1; a campaign file is YAML 1.2"},
        {TOP "tags: {x: &a y}\n" REST, "2:11: anchors (&)"},
        {TOP "tags: {x: *a }\n" REST, "2:11: aliases (*)"},
        {TOP "tags: {x: !!str y}\n" REST, "2:11: tags (!)"},
        {TOP "tags: {x: y, x: z}\n" REST, "2:14: key `x` stands here twice; first in line 2"},
        {TOP "tags: {[a]: z}\n" REST, "2:8: a key must be a name, not a list"},
        {TOP "tags: {x: \"a\\0b\"}\n" REST, "2:11: holds a NUL character"},
        {TOP "question: a\x01z\n" REST, "2:12: byte 0x01 is no text"},
        {TOP "question: \xc3\xa4\xff\n" REST, "2:12: byte 0xff is no text"},
        {TOP "question: \xc0\x80\n" REST, "2:11: byte 0xc0 is no text"},
        {TOP "question: \xed\xa0\x80\n" REST, "2:11: byte 0xed is no text"},
        {TOP "question: \x7f\n" REST, "2:11: byte 0x7f is no text"},
    };
    CHECK_ROWS(rows);
}
END_TEST

START_TEST(test_bad__top_level)
{
    static const struct row rows[] = {
        {REST, "1:1: `campaign` is missing"},
        {TOP, "1:1: `variants` is missing\n1:1: `workloads` is missing\n1:1: `faults` is missing"},
        {TOP "variants: {}\nworkloads: []\nfaults:\n",
         "2:11: `variants` is empty\n3:12: `workloads` is a list\n4:1: `faults` is empty"},
        {"campain: c\n" REST,
         "1:1: unknown key `campain` of a campaign file; allowed: campaign, question\n"
         "1:1: `campaign` is missing"},
        {"campaign: a b\n" REST, "1:11: the campaign's name `a b` is no name"},
        {"campaign: .a\n" REST, "1:11: the campaign's name `.a` is no name"},
        {"campaign: "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" REST,
         "1:11: the campaign's name `aaaa"},
        {TOP "seed: -1\n" REST, "2:7: `-1` is not a whole number"},
        {TOP "seed: 9223372036854775808\n" REST, "2:7: `9223372036854775808` is too large"},
        {TOP "seed: 1e3\n" REST, "2:7: `1e3` is not a whole number"},
        {TOP "seed: [1]\n" REST, "2:7: `seed` is a list; a single value is wanted"},
        {TOP "seed:\n" REST, "2:1: `seed` is empty"},
        {TOP "seed: null\n" REST, "2:7: `seed` is empty"},
        {TOP "trials: 0\n" REST, "2:9: `0` is out of range for `trials`; 1 to 1000000000"},
        {TOP "trials: {max: 5}\n" REST, "2:9: `trials` lacks `half-width`; as trials: {max"},
        {TOP "trials: {}\n" REST,
         "2:9: `trials` lacks `max`; as\n2:9: `trials` lacks `half-width`; as"},
        {TOP "trials: {max: 0, half-width: 1%}\n" REST, "2:15: `0` is out of range for `max`"},
        {TOP "trials: {max: 9, half-width: 50%}\n" REST, "2:30: `half-width` is out of range"},
        {TOP "trials: {max: 9, half-width: 1%, confidence: 100%}\n" REST,
         "2:46: `confidence` is out of range; at least 50%"},
        {TOP "trials: {max: 9, half-width: 1%, of: silnt}\n" REST,
         "2:38: `of: silnt` is no share; allowed: broken, wrong, transparent"},
        {TOP "trials: {detect: 2%, max: 9}\n" REST, "2:22: unknown key `max` of such `trials`"},
        {TOP "trials: {detect: 1%}\n" REST, "2:18: `detect` is not above the margin of 1%"},
        {TOP "compare: {margin: 3%}\ntrials: {detect: 2%}\n" REST,
         "3:18: `detect` is not above the margin of 3%"},
        {TOP "trials: {detect: 60%, from: 50%}\n" REST, "2:18: `detect` is out of range; more"},
        {TOP "trials: {detect: 2%, alpha: 0.5}\n" REST, "2:29: `alpha` is out of range"},
        {TOP "trials: {detect: 1.01%, from: 50%}\n" REST,
         "2:9: that takes more than 1000000 trials a cell"},
        {TOP "trials: 1..5\n" REST, "2:9: `1..5` is a range; `trials` takes one value"},
        {TOP "limit: 10\n" REST, "2:8: `10` has no unit"},
        {TOP "limit: 10 min\n" REST, "2:8: `10 min` has a space before its unit; a time is"},
        {TOP "tags: [a]\n" REST, "2:7: `tags` is a list"},
        {TOP "tags: {a: }\n" REST, "2:8: a tag is empty"},
        {TOP "skip: v\n" REST, "2:7: `skip` is a list of patterns"},
        {TOP "skip: [x]\n" REST, "2:8: pattern `x` matches no cell"},
        {TOP "machine: {environments: 8}\nvariants: {v: {stack: loris}}\nfaults: {f: []}\n"
             "workloads: {w: [{app: fsx, copies: 17}, {app: fsx}]}\n",
         "5:16: workload `w` has 25 applications in variant `v`, all copies counted; at most 24"},
        {TOP "skip: [v]\n" REST, "2:7: nothing is left to run: every cell is left out or skipped"},
        {TOP "skip: [v/w/f/1]\n" REST, "2:8: `v/w/f/1` is no pattern"},
        {TOP "skip: [v//f]\n" REST, "2:8: `v//f` is no pattern"},
        {TOP "promises: {v: syncd}\n" REST, "2:15: `syncd` is no level; allowed: transparent"},
        {TOP "promises: {x: synced}\n" REST, "2:12: pattern `x` matches no cell"},
        {TOP "compare: {base: x}\n" REST, "2:17: `base: x` is no variant; allowed: v"},
        {TOP "compare: {measure: lvel}\n" REST, "2:20: unknown measure `lvel`; allowed: level"},
        {TOP "compare: {margin: 1}\n" REST, "2:19: `1` has no unit; a percentage"},
        {TOP "compare: {alpha: 0%}\n" REST, "2:18: `alpha` is out of range"},
        {TOP "include: nothing.yaml\n" REST, "2:10: cannot open `nothing.yaml`"},
        {TOP "include: {a: b}\n" REST, "2:10: `include` is a list of files"},
        {TOP "include: [[a]]\n" REST, "2:11: an include is the path of a file"},
    };
    CHECK_ROWS(rows);
}
END_TEST

START_TEST(test_bad__machine)
{
    static const struct row rows[] = {
        {ONE "machine: 3\n", "5:10: `machine` is a text"},
        {ONE "machine: {disk: 3}\n",
         "5:11: unknown key `disk` of `machine`; allowed: disks, spares, memory, environments, "
         "restart; did you mean `disks`?"},
        {ONE "machine: {disks: 3}\n", "5:18: `disks` is a text"},
        {ONE "machine: {disks: []}\n", "5:18: `disks` is an empty list"},
        {ONE "machine: {disks: {count: 0}}\n", "5:26: `0` is out of range for `count`; 1 to 16"},
        {ONE "machine: {disks: [{count: 10}, {count: 10}]}\n", "5:32: a machine has at most 16"},
        {ONE "machine: {disks: {profile: hdd}}\n",
         "5:28: unknown disk profile `hdd`; allowed: hdd-"},
        {ONE "machine: {disks: {size: 64MB}}\n", "5:25: `64MB` has an unknown unit"},
        {ONE "machine: {disks: {size: 1000001B}}\n", "5:25: `1000001B` is out of range"},
        {ONE "machine: {disks: {size: 1048577B}}\n", "5:25: a disk's size is no multiple of 4KiB"},
        {ONE "machine: {disks: {wirte-cache: off}}\n", "5:19: unknown key `wirte-cache` of disks"},
        {ONE "machine: {disks: {write-cache: maybe}}\n",
         "5:32: `maybe` is no value of `write-cache`"},
        {ONE "machine: {disks: [{role: king}]}\n", "5:26: `king` is no role of a disk"},
        {ONE "machine: {disks: {role: spare}}\n", "5:19: unknown key `role` of disks"},
        {ONE "machine: {spares: 15}\n", "5:19: a machine has at most 16 disks"},
        {ONE "machine: {disks: [{role: spare}]}\n", "5:18: `disks` has spares only"},
        {ONE "machine: {memory: 64}\n", "5:19: `64` has no unit"},
        {ONE "machine: {environments: 9}\n",
         "5:25: `9` is out of range for `environments`; 1 to 8"},
        {ONE "machine: {restart: {policy: linux}}\n", "5:29: `linux` is not a value of `policy`"},
        {ONE "machine: {restart: {apps: go}}\n",
         "5:27: `go` is not a value of `apps`; allowed: stop, resume"},
        {ONE "machine: {memory: 4MiB}\n", "2:12: variant `v`: `cache` and `log-size` want 12 MiB"},
    };
    CHECK_ROWS(rows);
}
END_TEST

START_TEST(test_bad__variants)
{
    static const struct row rows[] = {
        {V "  x: 3\n", "5:6: a variant is a text"},
        {V "  x:\n", "5:3: a variant is empty"},
        {V "  ?\n  : {stack: loris}\n", "6:5: the name `` is no name"},
        {V "  x: {}\n", "5:6: variant `x` has no `stack`"},
        {V "  x: {raid: 1, stak: loris}\n",
         "5:16: unknown key `stak` of a variant, which has no `stack`; did you mean `stack`?"},
        {V "  x: {lke: y}\n",
         "5:7: unknown key `lke` of a variant, which has no `like`; did you mean `like`?"},
        {V "  x@y: {stack: loris}\n", "5:3: the name `x@y` is no name"},
        {V "  x: {stack: lorsi}\n", "5:14: unknown stack `lorsi`; allowed: loris, fat, ffs, cow, "
                                    "journal, none; did you mean `loris`?"},
        {V "  x: {stack: ffs, fsck: background, order: sync}\n",
         "5:3: variant `x`: `fsck: background` is for `order: soft`"},
        {V "  x: {stack: cow, log-scope: file}\n",
         "5:3: variant `x`: `log-scope: file` says what `fsync: log` puts into the log"},
        {V "  x: {stack: ffs, raid: 0, machine: {spares: 1}}\n",
         "5:3: variant `x`: a spare takes the place of a disk of raid: 1 or 5"},
        {V "  x: {stack: loris, raid: 5}\n",
         "5:27: variant `x`: RAID-4 and RAID-5 want three disks or more"},
        {V "  x: {stack: loris, raid: 6}\n", "5:27: variant `x`: RAID-6 wants four disks or more"},
        {V "  x: {stack: none, raid: 5}\n",
         "5:26: variant `x`: RAID-4 and RAID-5 want three disks or more"},
        {V "  x: {stack: loris, raid: 0, machine: {disks: {size: 4MiB}}}\n",
         "5:3: variant `x`: disk 0 is too small for stack `loris`; size: 8MiB or more"},
        {V "  x: {stack: loris, raid: 7}\n", "5:27: `7` is not a value of `raid`; allowed: 0, 1"},
        {V "  x: {stack: loris, raid-policy: 5}\n",
         "5:34: `raid-policy` is a map of patterns and values"},
        {V "  x: {stack: loris, raid-policy: {a/b: 1}}\n",
         "5:35: `a/b` is no pattern of `raid-policy`: a path begins with a slash"},
        {V "  x: {stack: loris, raid-policy: {a: 1, /a//b: 1}}\n",
         "5:41: `/a//b` is no pattern of `raid-policy`: a path has a name after each slash"},
        {V "  x: {stack: loris, raid-policy: {/a/../b: 1}}\n",
         "5:35: `/a/../b` is no pattern of `raid-policy`: no path that is walked"},
        {V "  x: {stack: loris, raid-policy: {a b: 1}}\n",
         "5:35: `a b` is no pattern of `raid-policy`: blanks and `=`"},
        {V "  x: {stack: loris, raid-policy: {a: 3}}\n",
         "5:38: `3` is not a value of `raid-policy`; allowed: 0, 1"},
        {V "  x: {stack: loris, raid-policy: {a: [1]}}\n", "5:38: `raid-policy` is a list"},
        {V "  x: {stack: loris, raid-policy: {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, "
           "i: 1}}\n",
         "5:34: `raid-policy` has 9 patterns; at most 8 are allowed"},
        {V "  x: {stack: loris, raid: 0, raid-policy: {a: 1}}\n",
         "5:27: variant `x`: `raid-policy` gives files levels of their own"},
        {V "  x: {stack: loris, raid-policy: {a: 6}}\n",
         "5:3: variant `x`: RAID-6 wants four disks"},
        {V "  x: {stack: loris, log: yes}\n", "5:26: `yes` is not a switch; on, off, true"},
        {V "  x: {stack: loris, rollback: one}\n", "5:31: not available yet: `rollback: one`"},
        {V "  x: {stack: loris, fsync: log, log: off}\n", "5:3: variant `x`: `fsync: log` makes"},
        {V "  x: {stack: loris, scrub: 14}\n", "5:28: `14` has no unit"},
        {V "  x: {stack: loris, cache: 1KiB}\n", "5:28: `1KiB` is out of range for `cache`"},
        {V "  x: {stack: loris, stripe: 5000B}\n", "5:3: variant `x`: `stripe` is no multiple"},
        {V "  x: {stack: loris, checkpoint: {exponential: 3s}}\n",
         "5:33: `checkpoint` is a map; a single value is wanted"},
        {V "  x: {stack: loris, checkpoint: 1s..2s}\n", "5:33: `1s..2s` is a range"},
        {V "  x: {stack: none, log: on}\n", "5:20: unknown key `log` of a variant of stack `none`"},
        {V "  x: {stack: loris, raid: 1, machine: {disks: {count: 1}}}\n",
         "5:27: variant `x`: RAID-1 wants two disks or more, this machine has 1"},
        {V "  x: {stack: none, raid: 1, machine: {disks: {count: 3}}}\n",
         "5:26: variant `x`: block-level RAID-1 is made of pairs"},
        {V "  x: {like: y}\n", "5:13: `like: y` names nothing; allowed: x"},
        {V "  x: {like: x}\n", "5:13: `like: x` leads back to itself"},
        {V "  x: {like: y}\n  y: {like: x}\n",
         "5:13: `like: y` leads back to itself\n6:13: `like: x` leads back to itself"},
        {V "  x: {stack: loris}\n  x: {stack: none}\n", "6:3: key `x` stands here twice"},
        /* One file, many errors: all of them, in order. */
        {V "  x: {stack: loris, log: yes, raid: 9}\n  y: {stack: loris, tries: 0}\n",
         "5:26: `yes`\n5:37: `9`\n6:28: `0` is out of range for `tries`; 1 to 100"},
    };
    CHECK_ROWS(rows);
}
END_TEST

START_TEST(test_bad__workloads)
{
    static const struct row rows[] = {
        {W "  x: fsx\n", "5:6: a workload is an application or a list"},
        {W "  x: []\n", "5:6: a workload has 1 to 16 applications, not 0"},
        {W "  x: {files: 3}\n", "5:6: an application has no `app`"},
        {W "  x: {ap: fsx}\n",
         "5:7: unknown key `ap` of an application, which has no `app`; did you mean `app`?"},
        {W "  x: [fsx]\n", "5:7: an application is a text"},
        {W "  x: {app: postmrk}\n", "5:12: unknown app `postmrk`; allowed: postmark"},
        {W "  x: {app: bounded, length: 4}\n", "5:29: `4` is out of range for `length`; 1 to 3"},
        {W "  x: {app: bounded, set: most}\n", "5:26: `most` is not a value of `set`"},
        {W "  x: {app: postmark, files: 0}\n", "5:29: `0` is out of range for `files`"},
        {W "  x: {app: postmark, size: 16KiB..512B}\n", "5:28: `16KiB..512B` runs backwards"},
        {W "  x: {app: postmark, size: 16..512}\n", "5:28: `16` has no unit"},
        {W "  x: {app: fsx, share: 10}\n", "5:24: `10` has no unit; a percentage"},
        {W "  x: {app: fsx, think: {weibul: [1, 2s]}}\n", "5:25: unknown distribution `weibul`"},
        {W "  x: {app: fsx, think: {weibull: [0, 2s]}}\n", "5:35: `0` must be more than 0"},
        {W "  x: {app: fsx, think: {weibull: 2s}}\n", "5:34: `weibull` has two parameters"},
        {W "  x: {app: fsx, think: {exponential: 2}}\n", "5:38: `2` has no unit"},
        {W "  x: {app: fsx, think: {}}\n", "5:24: a distribution has one key"},
        {W "  x: {app: script}\n", "5:6: app `script` has no `file`"},
        {W "  x: {app: script, file: no.ops}\n", "5:26: cannot open `no.ops`"},
        {W "  x: {app: script, operations: \"create a\\nfoo b\"}\n",
         "5:32: line 2 of `operations`: unknown operation `foo`"},
        {W "  x: [{app: fsx}]\n  y: {like: x, think: 3s}\n",
         "6:6: `like` of a list takes no other"},
    };
    CHECK_ROWS(rows);
}
END_TEST

START_TEST(test_bad__faults)
{
    static const struct row rows[] = {
        {F "  x: {kind: power.cut}\n", "5:6: fault plan `x` is a map; a list of faults"},
        {F "  x: none\n", "5:6: fault plan `x` is a text"},
        {F "  x: [power.cut]\n", "5:7: a fault is a text"},
        {F "  x: [{at: uniform}]\n", "5:7: a fault has no `kind`"},
        {F "  x: [{knd: power.cut}]\n",
         "5:8: unknown key `knd` of a fault, which has no `kind`; did you mean `kind`?"},
        {F "  x: [{kind: powercut}]\n", "5:14: unknown fault kind `powercut`; allowed: disk.fail-"},
        {F "  x: [{profile: datacenter-2007, over: 1year}]\n", "5:17: unknown field profile"},
        {F "  x: [{kind: power.cut, layer: cache}]\n",
         "5:25: unknown key `layer` of fault `power.c"},
        {F "  x: [{kind: power.cut, off-for: 10}]\n", "5:34: `10` has no unit"},
        {F "  x: [{kind: process.crash}]\n", "5:7: fault `process.crash` has no `layer`"},
        {F "  x: [{kind: process.crash, layer: cash}]\n",
         "5:36: unknown layer `cash`; allowed: vfs"},
        {F "  x: [{kind: process.crash, layer: fs}]\n", "5:36: no variant can run fault plan `x`: "
                                                        "loris has no layer `fs`"},
        {F "  x: [{kind: process.crash, layer: cache, instance: one}]\n",
         "5:53: `one` is no value of `instance`"},
        {F "  x: [{kind: process.crash, layer: cache, instance: 1}]\n",
         "5:53: no variant can run fault plan `x`: v has 1 of layer `cache`, no instance 1"},
        {F "  x: [{kind: process.crash, layer: cache, repeat: same-requests}]\n", "5:51: `same-r"},
        {F "  x: [{kind: disk.bit-rot, repeat: same-request}]\n", "5:28: unknown key `repeat`"},
        {F "  x: [{kind: process.crash, layer: cache, for: 3s}]\n", "5:43: unknown key `for`"},
        {F "  x: [{kind: process.bug, layer: cache, bug: wrong}]\n",
         "5:46: `wrong` is not a value of `bug`"},
        {F "  x: [{kind: disk.fail-stop, disk: 2}]\n",
         "5:36: no variant can run fault plan `x`: the machine of v has 2 disks, no disk 2"},
        {F "  x: [{kind: disk.bit-rot, disk: {holds: a, copies: 1}}]\n",
         "5:45: unknown key `copies`"},
        {F "  x: [{kind: disk.bit-rot, disk: {holds: a, copy: x}}]\n", "5:51: `x` is no number of"},
        {F "  x: [{kind: disk.bit-rot, at: {write: 3, disk: {holds: a}}}]\n",
         "5:49: requests are cou"},
        {F "  x: [{kind: disk.bit-rot, where: {fil: a}}]\n", "5:36: unknown key `fil`"},
        {F "  x: [{kind: disk.bit-rot, where: {}}]\n", "5:35: `where` names no file"},
        {F "  x: [{kind: memory.flip, layer: cache, region: page}]\n",
         "5:49: `page` is not a value of `region`; allowed: pages, heap, stack, log, any; did you "
         "mean `pages`?"},
        {F "  x: [{kind: memory.flip, layer: cache, bits: 65}]\n", "5:47: `65` is out of range"},
        {F "  x: [{kind: memory.flip, layer: cache, pattern: row, bits: 2}]\n",
         "5:61: `bits` says nothing of a row"},
        {F "  x: [{kind: memory.flip, layer: cache, region: heap, state: dirty}]\n",
         "5:62: `state` is one of pages"},
    };
    CHECK_ROWS(rows);
}
END_TEST

START_TEST(test_bad__crash_states)
{
    static const struct row rows[] = {
        {F "  x: [{kind: power.cut, cache: {leave: [[0, 1]]}}]\n",
         "5:32: `cache: {...}` has no `keep`"},
        {F "  x: [{kind: power.cut, cache: {keep: 1}}]\n", "5:39: `keep` is a list of numbers"},
        {F "  x: [{kind: power.cut, cache: {keep: [1, x]}}]\n", "5:39: a list of numbers from 0"},
        {F "  x: [{kind: power.cut, cache: {keep: [2], leave: [[0, 3]]}}]\n",
         "5:52: no write that is kept"},
        {F "  x: [{kind: power.cut, cache: {keep: [2], leave: [[0, 1], [0, 1]]}}]\n",
         "5:60: this write is left out twice"},
        {F "  x: [{kind: power.cut, cache: {keep: [2], tear: [[0, 1]]}}]\n",
         "5:51: [disk, write, sectors], three numbers"},
        {F "  x: [{kind: power.cut, cache: {keep: [2], tear: [[0, 1, 1]], leave: [[0, 1]]}}]\n",
         "5:32: a write is torn and left out"},
        {F "  x: [{kind: power.cut, cache: {keep: [1]}, tears: none}]\n",
         "5:7: `tears` and `cache: {keep: ...}` exclude each other"},
        {F "  x: [{kind: disk.lost-write}, {kind: power.cut, cache: {keep: [1]}}]\n",
         "5:6: not available yet: `cache: {keep: ...}` in a plan with faults of disks"},
    };
    CHECK_ROWS(rows);
}
END_TEST

START_TEST(test_bad__moments)
{
    static const struct row rows[] = {
        {F "  x: [{kind: power.cut, at: now}]\n", "5:29: `now` is no moment; uniform, or a map"},
        {F "  x: [{kind: power.cut, at: unifrm}]\n",
         "5:29: `unifrm` is no moment; uniform, or a map of one of: time, op, io, write, message, "
         "block, probe, mark, recovery, after, rate; as {time: 3s}; did you mean `uniform`?"},
        {F "  x: [{kind: power.cut, at: {}}]\n", "5:29: `at` names no moment; allowed: uniform"},
        {F "  x: [{kind: power.cut, at: {tme: 3s}}]\n",
         "5:30: `at` names no moment; allowed: unifo"},
        {F "  x: [{kind: power.cut, at: {time: 3}}]\n", "5:36: `3` has no unit"},
        {F "  x: [{kind: power.cut, at: {time: 3s, op: 4}}]\n", "5:40: `time` and `op` exclude"},
        {F "  x: [{kind: power.cut, at: {op: 0}}]\n",
         "5:34: `0` is too small for `op`; at least 1"},
        {F "  x: [{kind: power.cut, at: {op: 1, n: 2}}]\n", "5:37: unknown key `n` of `at: {op: "},
        {F "  x: [{kind: power.cut, at: {rate: 1/year}}]\n", "5:29: a rate has no `over`"},
        {F "  x: [{kind: power.cut, at: {after: 3s}}]\n", "5:30: `after` counts from the entry"},
        {F "  x: [{kind: power.cut, at: {message: 3}}]\n", "5:29: `message` counts in a layer"},
        {F "  x: [{kind: power.cut, at: {probe: ckpt-all-prepard}}]\n",
         "5:37: unknown probe `ckpt-all-prepard`; see `loris list probes`; did you mean"},
        {F "  x: [{kind: power.cut, at: {mark: 1}}]\n",
         "5:29: no variant can run fault plan `x`: workload w has no script"},
    };
    CHECK_ROWS(rows);
}
END_TEST

START_TEST(test_bad__sweeps)
{
    static const struct row rows[] = {
        {ONE "sweep: [checkpoint]\n", "5:8: `sweep` is a list"},
        {ONE "sweep: {checkpont: [1s]}\n",
         "5:9: `checkpont` is nothing that can be swept; an option of a stack (see `loris list "
         "options`), or a path that begins with machine., variants.NAME., workloads.NAME. or "
         "faults.NAME.; did you mean `checkpoint`?"},
        {ONE "sweep: {checkpoint: 1s}\n", "5:21: a sweep is a list of 1 to 256 values"},
        {ONE "sweep: {checkpoint: []}\n", "5:21: a sweep is a list of 1 to 256 values"},
        {ONE "sweep: {checkpoint: [1s, 1s]}\n", "5:26: value `1s` stands here twice"},
        {ONE "sweep: {checkpoint: [[1s]]}\n", "5:22: a swept value is a list"},
        {ONE "sweep: {checkpoint: [1s, 5]}\n", "5:26: `5` has no unit"},
        {ONE "sweep: {mode: [data]}\n", "5:9: sweep of `mode`: no variant's stack has that option"},
        {ONE "sweep: {machine: [1]}\n", "5:9: `machine` is no path to a value"},
        {ONE "sweep: {faults.g.0.cache: [drop]}\n",
         "5:9: sweep of `faults.g.0.cache`: there is no"},
        {ONE "sweep: {faults.f.0.cache: [drop]}\n", "5:18: `0` is no place of a list of 0"},
        {ONE "sweep: {workloads.w.oprations: [1]}\n", "5:21: unknown key `oprations` of app `fsx`"},
        {ONE "sweep: {variants.v: [1]}\n", "5:9: `variants.v` is no path to a value"},
        {ONE "sweep: {machine.disks.siez: [1MiB]}\n", "5:23: unknown key `siez` of disks"},
    };
    CHECK_ROWS(rows);
}
END_TEST

START_TEST(test_bad__set_has_places_of_its_own)
{
    static const struct row rows[] = {
        {"variants.v.checkpoint", "`variants.v.checkpoint` is not KEY=VALUE"},
        {"=3", "`=3` is not KEY=VALUE"},
        {"variants..checkpoint=3s", "`variants..checkpoint` is no path of keys"},
        {"variants.v.checkpont=3s", "unknown key `checkpont`"},
        {"variants.v.checkpoint=3", "`3` has no unit"},
        {"variants.v.stack.x=3", "`variants.v.stack` is a single value and has no `x`"},
        {"faults.f.0.cache=drop", "`0` is no place of a list of 0"},
        {"seed=]", "is not YAML"},
        {"seed=&a 1", "anchors (&)"},
        {"nonsense=1", "unknown key `nonsense` of a campaign file"},
        {"include=[a.yaml]", "`include` cannot be set"},
    };
    static const unsigned columns[] = {1, 1, 10, 12, 23, 18, 10, 6, 6, 1, 1};
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        ck_assert_ptr_null(load(ONE, rows[k].text));
        char prefix[64];
        (void)snprintf(prefix, sizeof(prefix), "--set:1:%u: ", columns[k]);
        check_lines(&rows[k], prefix);
    }
}
END_TEST

/* Ten MiB of a text, repeated. The caller frees it. */
static char *repeat(const char *text)
{
    size_t bytes = 10u << 20, step = strlen(text);
    char *big = malloc(bytes + 1);
    ck_assert_ptr_nonnull(big);
    for (size_t k = 0; k < bytes; k++)
        big[k] = text[k % step];
    big[bytes] = '\0';
    return big;
}

START_TEST(test_bad__ten_mebibytes_of_nesting_are_one_error_with_a_place)
{
    static const struct row rows[] = {
        {"[", "1:33: is nested too deep; at most 32 levels"},
        {"{", "1:33: is nested too deep"},
        {"- ", "1:65: is nested too deep"},
        {"? ", "1:65: is nested too deep"},
        {"{a: ", "1:129: is nested too deep"},
        {"[{a: ", "1:81: is nested too deep"},
        {"[[],", "1:126: is nested too deep"},
        {"a: ", "1:5: is not YAML"},
        {"\"", "1:3: is not YAML"},
        {"- a\n", "200000:3: has too many values; at most 200000"},
        {"\n", "1:1: is empty"},
    };
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        char *big = repeat(rows[k].text);
        ck_assert_ptr_null(load(big, NULL));
        free(big);
        check_lines(&rows[k], "t.yaml:");
    }
}
END_TEST

START_TEST(test_bad__a_bracket_storm_in_a_text_is_no_nesting)
{
    char storm[1001], text[4096];
    memset(storm, '[', sizeof(storm) - 1);
    storm[sizeof(storm) - 1] = 0;
    (void)snprintf(text, sizeof(text), TOP "question: \"%s\"\n" REST, storm);
    struct plan *plan = load(text, NULL);
    ck_assert_msg(plan != NULL, "%s", errors);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_bad__includes_that_never_end_are_refused)
{
    char folder[TEMP_FOLDER_BYTES];
    ck_assert(temp_folder_make(folder, "include"));
    ck_assert_int_eq(chdir(folder), 0);
    for (int k = 0; k < 12; k++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%d.yaml", k);
        FILE *file = fopen(name, "w");
        ck_assert_ptr_nonnull(file);
        (void)fprintf(file, k == 11 ? "seed: 3\n" : "include: [%d.yaml, %d.yaml]\n", k + 1, k + 1);
        (void)fclose(file);
    }
    ck_assert_ptr_null(load(TOP "include: [0.yaml]\n" REST, NULL)); /* 2^11 files, 11 deep */
    ck_assert_ptr_nonnull(strstr(errors, "is too deep; at most 8"));
    ck_assert_ptr_null(load(TOP "include: [11.yaml]\n" REST, NULL));
    ck_assert_str_eq(errors,
                     "11.yaml:1:1: `seed` may only stand in the campaign file itself, not in "
                     "one that it includes\n");
    FILE *file = fopen("0.yaml", "w");
    (void)fputs("include: [0.yaml]\n", file);
    (void)fclose(file);
    ck_assert_ptr_null(load(TOP "include: [0.yaml]\n" REST, NULL));
    ck_assert_str_eq(errors, "0.yaml:1:11: `0.yaml` includes itself\n");
    temp_folder_remove(folder);
}
END_TEST

static const char rich[] =
    "campaign: rich\nquestion: \"why?\"\nseed: 42\ntrials: 200\ntags: {a: b}\n"
    "machine: {disks: [{count: 2, size: 64MiB}], memory: 64MiB, restart: {policy: minix}}\n"
    "variants:\n  l: {stack: loris, raid: 1, checkpoint: 5s}\n  m: {like: l, log: off}\n"
    "  n: {stack: none, machine: {disks: {count: 4}}}\n"
    "sweep:\n  checkpoint: [1s, 5s]\n  faults.d.1.cache: [drop, keep]\n"
    "workloads:\n  a: {app: postmark, size: 512B..16KiB, think: {weibull: [1.2, 3ms]}}\n"
    "  b: [{app: fsx}, {app: script, operations: \"create a\\nmark\\n\"}]\n"
    "faults:\n  o: []\n  d: [{kind: disk.latent-error, disk: 0, at: {time: 0s}, count: 3}, {kind: "
    "power.cut, at: {after: 1s..2s}}]\n"
    "  p: [{kind: process.crash, layer: physical, at: {block: uniform}}]\n"
    "skip: [\"*/b/p\"]\npromises: {\"m/*/d\": synced}\ncompare: {base: n, margin: 1%}\n";

START_TEST(test_bad__no_mutation_of_a_file_crashes_or_goes_unsaid)
{
    uint64_t state = 88172645463325252u; /* xorshift64 of Marsaglia 2003: any fixed numbers do */
    static const char bytes[] = "[]{}:,-#&*!|>'\"%@`?~ \n\t0aZ\x80\xff\x01.";
    struct plan *sound = load(rich, NULL);
    ck_assert_msg(sound != NULL, "%s", errors);
    plan_destroy(sound);
    uint32_t refused = 0;
    for (int round = 0; round < MUTATIONS; round++) {
        char text[2 * sizeof(rich)];
        memcpy(text, rich, sizeof(rich));
        for (int change = 0; change <= round % 4; change++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            size_t length = strlen(text);
            if (length < 2)
                break;
            size_t at = (size_t)(state >> 8) % (length - 1);
            char byte = bytes[(state >> 40) % (sizeof(bytes) - 1)];
            if (state % 4 == 0 && length + 2 < sizeof(text))
                (void)memmove(text + at + 1, text + at, length - at + 1);
            else if (state % 4 == 1)
                (void)memmove(text + at, text + at + 1, length - at);
            else if (state % 16 == 2)
                text[at + 1] = '\0';
            text[at] = state % 4 == 1 ? text[at] : byte;
        }
        struct plan *plan = load(text, NULL);
        refused += plan == NULL;
        ck_assert_msg((plan == NULL) == (errors_bytes > 0), "%s\n%s", text, errors);
        ck_assert_msg(plan != NULL || strncmp(errors, "t.yaml:", 7) == 0, "%s", errors);
        plan_destroy(plan);
    }
    ck_assert_uint_gt(refused, MUTATIONS / 2); /* else it mutates nothing */
}
END_TEST

CHECK_MAIN("bad_campaigns", 300, tcase_add_test(tc, test_bad__syntax);
           tcase_add_test(tc, test_bad__top_level); tcase_add_test(tc, test_bad__machine);
           tcase_add_test(tc, test_bad__variants); tcase_add_test(tc, test_bad__workloads);
           tcase_add_test(tc, test_bad__faults); tcase_add_test(tc, test_bad__crash_states);
           tcase_add_test(tc, test_bad__moments); tcase_add_test(tc, test_bad__sweeps);
           tcase_add_test(tc, test_bad__set_has_places_of_its_own);
           tcase_add_test(tc, test_bad__ten_mebibytes_of_nesting_are_one_error_with_a_place);
           tcase_add_test(tc, test_bad__a_bracket_storm_in_a_text_is_no_nesting);
           tcase_add_test(tc, test_bad__includes_that_never_end_are_refused);
           tcase_add_test(tc, test_bad__no_mutation_of_a_file_crashes_or_goes_unsaid);)
