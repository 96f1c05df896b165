/*
 * What the machine's inner loops cost on this host, for `make bench` and the README's table. Each
 * function measures CPU time itself and returns ns a unit; none asserts anything about speed. They
 * must not run while a machine exists, except the ones that are given none.
 */
#ifndef LORIS_SIM_BENCH_H
#define LORIS_SIM_BENCH_H

#include <stdint.h>

/* One event taken out and one put in at an exponential distance, `pending` events in the queue. */
double sim_bench_hold_ns(uint32_t pending, uint64_t holds);

/* One switch from one stack to another, of `switches`. */
double sim_bench_switch_ns(uint64_t switches);

/* One message of 192 bytes and its reply (plat_sendrec, plat_receive, plat_post) between two
 * processes of a machine without disks: traps, copies, clock and hash included. */
double sim_bench_call_ns(uint64_t calls);

/* A rendezvous alone: one plat_send received by plat_receive. */
double sim_bench_rendezvous_ns(uint64_t messages);

/* One 64-bit number of a stream. */
double sim_bench_random_ns(uint64_t draws);

/* CRC32C of 4 KiB that the processor has at hand, through plat_crc32c. */
double sim_bench_crc_ns(uint64_t blocks);

/* One request of 4 KiB to a disk of this profile, half of them reads, at random places of 64 MiB,
 * 32 at a time: real bytes, with CRC32C made at each write and verified at each read. */
double sim_bench_disk_ns(const char *profile, uint64_t requests);

/* A crash by a fault signal: start, fault, capture. */
double sim_bench_crash_ns(uint64_t crashes);

#endif
