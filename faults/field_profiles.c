/*
 * The tables. A rate is of each disk, of each instance of the layer, or of the machine. From a
 * share p in time T it is -ln(1 - p) / T; a year is 8760 h; 1 FIT is one event in 1e9 h.
 */
#include "faults/field_profiles.h"

#include <stddef.h>
#include <string.h>

#include "assertion.h"

#define COUNT(table) ((uint32_t)(sizeof(table) / sizeof((table)[0])))

#define DEAN "Dean 2008, first year of a cluster of 1800 servers"
#define SCHROEDER "Schroeder & Gibson, FAST 2007"
#define LSE "Bairavasundaram et al., SIGMETRICS 2007"
#define SILENT "Bairavasundaram et al., FAST 2008"
#define PINHEIRO "Pinheiro, Weber, Barroso, FAST 2007"
#define GOOGLE_SSD "Schroeder, Lagisetty, Merchant, FAST 2016"
#define NETAPP_SSD "Maneas et al., FAST 2020"
#define ZHENG "Zheng et al., FAST 2013"
#define DRAM "Sridharan & Liberty, SC 2012; 18 devices a DIMM, one DIMM"
#define FS_BUGS "Lu et al., FAST 2013, shares; one fault a year is assumed"
#define GUNAWI "Gunawi et al., FAST 2018; rate of Lu et al., FAST 2023"

/* A dead disk is replaced by a blank one: the mean of Elerath & Pecht's time to restore is 16.6 h,
 * of which copying is the stack's own; a day is assumed where nothing is said. */
#define DIES "kind: disk.fail-stop, replace: 24h"
/* One half have another within 10 MB. 80 % of affected disks have fewer than 50: e^2.3 = 10,
 * and 50 lies 0.85 sigma above. */
#define LATENT "kind: disk.latent-error, where: any, near: 10MiB, count: {lognormal: [2.3, 1.9]}"
/* Median 3, mean 104; over one half have a corrupt neighbour, in runs of 3.4 on average: the 64
 * KiB are an assumption, the size of most corruptions that CERN's probe met. */
#define ROT "kind: disk.bit-rot, where: any, near: 64KiB, count: {lognormal: [1.098612, 2.663]}"

/* Writes that go nowhere or elsewhere: no rate by class is published. */
#define ASTRAY                                                                                     \
    {"kind: disk.lost-write", "0.0000349/year", SILENT ": 365 of 1.53 million disks, half",        \
     "SEEN*"},                                                                                     \
    {                                                                                              \
        "kind: disk.misdirected-write", "0.0000349/year",                                          \
            SILENT ": 365 of 1.53 million disks, half; the split is assumed", "SEEN*"              \
    }

/* Racks that vanish (20 a year, 40 to 80 machines), wonky racks and rewiring are faults of the
 * network: no storage stack is struck by them, and this laboratory has no network. */
static const struct field_fault datacenter_2008[] = {
    {"kind: power.cut, cache: random, off-for: 6h", "0.417/year",
     DEAN ": one power distribution unit a year, 500 to 1000 machines for 6 h", "DERIVED"},
    {"kind: power.cut, cache: random, off-for: 24h..48h", "0.5/year",
     DEAN ": overheats with a chance of one half, most machines, 1 to 2 days", "DERIVED"},
    {"kind: power.cut, cache: random, off-for: 1h..24h", "0.556/year",
     DEAN ": 1000 machine failures a year; the hours are recalled", "DERIVED"},
    {DIES, "0.0305/year", SCHROEDER ": 3 % of disks a year (2 to 4 % are common)", "SEEN"},
    {"kind: disk.fail-slow, factor: {lognormal: [3.8, 1.79]}", "0.00147/year",
     GUNAWI ", 304 of 248,000 in 10 months; factors 2 to 1000", "DERIVED"},
};
static const struct field_fault hdd_nearline_2007[] = {
    {DIES, "0.0305/year", SCHROEDER ": 3 % a year", "SEEN"},
    {LATENT, "0.03201/year", LSE ": 3.15 % of nearline disks in 12 months", "SEEN*"},
    {ROT, "0.002526/year", SILENT ": 0.86 % of nearline disks in 41 months", "SEEN*"},
    ASTRAY,
};
static const struct field_fault hdd_enterprise_2007[] = {
    {DIES, "0.0305/year", SCHROEDER ": 3 % a year, whatever the bus", "SEEN"},
    {LATENT, "0.01471/year", LSE ": 1.46 % of enterprise disks in 12 months", "SEEN*"},
    {ROT, "0.0001902/year", SILENT ": 0.065 % of enterprise disks in 41 months", "SEEN*"},
    ASTRAY,
};
static const struct field_fault hdd_modern[] = {
    {DIES, "0.01582/year", "Backblaze Drive Stats 2024: 1.57 % a year", "SEEN"},
    {LATENT, "0.03201/year", LSE ": 3.15 % of nearline disks in 12 months", "SEEN*"},
    {ROT, "0.002526/year", SILENT ": 0.86 % of nearline disks in 41 months", "SEEN*"},
};

#define AGE(NAME, RATE, SHARE, STATUS)                                                             \
    static const struct field_fault NAME[] = {                                                     \
        {DIES, RATE, PINHEIRO ": " SHARE " of disks of that age a year", STATUS}}
AGE(google_year1, "0.01715/year", "1.7 %", "SEEN");
AGE(google_year2, "0.08338/year", "8 %", "RECALLED");
AGE(google_year3, "0.08992/year", "8.6 %", "SEEN");
AGE(google_year4, "0.06188/year", "6 %", "RECALLED");
AGE(google_year5, "0.07257/year", "7 %", "RECALLED");

static const struct field_fault raid_elerath[] = {
    {"kind: disk.fail-stop, replace: {weibull: [2, 67573s]}", "{weibull: [1.12, 461386h]}",
     "Elerath & Pecht, DSN 2007: failure; restore 6 h + Weibull(2, 12 h), its mean of 16.63 h",
     "SEEN*"},
    {"kind: disk.latent-error, where: any", "{exponential: 9259h}",
     "Elerath & Pecht, DSN 2007: latent defect; scrub: 7days belongs to it", "SEEN*"},
};
static const struct field_fault ssd_datacenter[] = {
    {DIES, "0.01814/year", GOOGLE_SSD ": 4 to 10 % replaced in 4 years", "SEEN*"},
    {"kind: disk.latent-error, where: any, count: {lognormal: [2.3, 1.9]}", "0.1277/year",
     GOOGLE_SSD ": 20 to 63 % with an uncorrectable error in 4 to 6 years, 40 % taken", "SEEN*"},
    {"kind: disk.bit-rot, where: any", "0.00023/year", NETAPP_SSD ": 0.023 % of drive-years",
     "SEEN*"},
};
/* Shares of 15 devices that misbehaved at a cut, as shares of cuts; one cut a year is assumed. */
static const struct field_fault ssd_powerfault[] = {
    {"kind: power.cut, cache: reorder", "0.533/year", ZHENG ": 8 of 15 lose order", "SEEN*"},
    {"kind: power.cut, cache: random, tears: any", "0.2/year", ZHENG ": 3 of 15 shear writes",
     "SEEN*"},
    {"kind: disk.bit-rot", "0.2/year", ZHENG ": 3 of 15 corrupt bits", "SEEN*"},
    {"kind: disk.fail-stop, replace: 24h", "0.133/year",
     ZHENG ": 1 of 15 dead, 1 of 15 lost a third of its blocks", "SEEN*"},
};

/* FIT x 18 devices x 8.76e-6. */
#define DRAM_MODES(ECC)                                                                            \
    {"kind: memory.flip, ecc: " ECC, "0.002239/year", DRAM ": transient bit, 14.2 FIT", "SEEN*"},  \
        {"kind: memory.flip, bits: 8, ecc: " ECC, "0.0002207/year",                                \
         DRAM ": transient word, 1.4 FIT", "SEEN*"},                                               \
        {"kind: memory.flip, pattern: column, ecc: " ECC, "0.0002207/year",                        \
         DRAM ": transient column, 1.4 FIT", "SEEN*"},                                             \
        {"kind: memory.flip, pattern: row, ecc: " ECC, "0.0002365/year",                           \
         DRAM ": transient row and larger, 1.5 FIT", "SEEN*"},                                     \
    {                                                                                              \
        "kind: memory.flip, pattern: stuck, ecc: " ECC, "0.007395/year",                           \
            DRAM ": permanent, 46.9 FIT", "SEEN*"                                                  \
    }
static const struct field_fault dram_noecc[] = {DRAM_MODES("none")};
static const struct field_fault dram_secded[] = {DRAM_MODES("secded")};

static const struct field_fault bugs_fs[] = {
    {"kind: process.bug, bug: wrong-value", "0.4/year", FS_BUGS ": data corruption", "RECALLED"},
    {"kind: process.crash", "0.2/year", FS_BUGS ": crash", "RECALLED"},
    {"kind: process.bug, bug: wrong-error", "0.15/year", FS_BUGS ": error", "RECALLED"},
    {"kind: process.hang", "0.15/year", FS_BUGS ": deadlock, hang", "RECALLED"},
    {"kind: process.bug, bug: leak", "0.1/year", FS_BUGS ": leak, wrong behaviour", "RECALLED"},
};
static const struct field_fault crashes[] = {
    {"kind: process.crash", "0.7/year", "David et al., USENIX ATC 2007: the others", "SEEN"},
    {"kind: process.hang", "0.3/year",
     "David et al., USENIX ATC 2007: over 30 % of driver bugs can hang; one a year is assumed",
     "SEEN"},
};

#define PROFILE(NAME, TITLE, LAYER, FAULTS)                                                        \
    {                                                                                              \
        NAME, TITLE, LAYER, FAULTS, COUNT(FAULTS)                                                  \
    }

static const struct field_profile profiles[] = {
    PROFILE("datacenter-2008", "a cluster's first year, of each machine: power, crashes, disks",
            false, datacenter_2008),
    PROFILE("hdd-nearline-2007", "nearline disks: death, latent errors, silent corruption", false,
            hdd_nearline_2007),
    PROFILE("hdd-enterprise-2007", "enterprise disks: death, latent errors, silent corruption",
            false, hdd_enterprise_2007),
    PROFILE("hdd-modern", "disks of today: death, latent errors, silent corruption", false,
            hdd_modern),
    PROFILE("hdd-google2007-year1", "deaths of disks in their first year", false, google_year1),
    PROFILE("hdd-google2007-year2", "deaths of disks in their second year", false, google_year2),
    PROFILE("hdd-google2007-year3", "deaths of disks in their third year", false, google_year3),
    PROFILE("hdd-google2007-year4", "deaths of disks in their fourth year", false, google_year4),
    PROFILE("hdd-google2007-year5", "deaths of disks in their fifth year", false, google_year5),
    PROFILE("raid-elerath", "deaths that come with age, and latent defects", false, raid_elerath),
    PROFILE("ssd-datacenter", "SSDs: death, uncorrectable and silent errors", false,
            ssd_datacenter),
    PROFILE("ssd-consumer-powerfault", "SSDs that misbehave when the power goes", false,
            ssd_powerfault),
    PROFILE("dram-noecc", "memory faults by mode, no correction; needs `layer`", true, dram_noecc),
    PROFILE("dram-secded", "memory faults by mode under SECDED; needs `layer`", true, dram_secded),
    PROFILE("bugs-fs", "what bugs of file systems do: silent, crash, error, hang; needs `layer`",
            true, bugs_fs),
    PROFILE("bugs-crash-hang", "bugs that stop a process: crash or hang; needs `layer`", true,
            crashes),
};

const struct field_profile *field_profile_table(uint32_t *count)
{
    ASSERT(count != NULL);
    *count = COUNT(profiles);
    return profiles;
}

const struct field_profile *field_profile_find(const char *name)
{
    ASSERT(name != NULL);
    for (uint32_t k = 0; k < COUNT(profiles); k++)
        if (strcmp(profiles[k].name, name) == 0)
            return &profiles[k];
    return NULL;
}
