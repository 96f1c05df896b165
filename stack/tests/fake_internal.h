/*
 * Between the files of the fake platform; tests include fake_platform.h.
 */
#ifndef LORIS_STACK_TESTS_FAKE_INTERNAL_H
#define LORIS_STACK_TESTS_FAKE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

/* A test or a handler broke the rules of the fake: says so and aborts. */
_Noreturn void fake_misuse(const char *what);

void fake_count_call(void);                  /* one platform call of the layer */
bool fake_endpoint_alive(uint32_t endpoint); /* false for a dead or unknown one */
uint32_t fake_actor(void);                   /* in whose name plat_* acts now */
void fake_ring_hardware(void);

void fake_memory_reset(void);
void fake_device_reset(void);
bool fake_device_idle(void); /* the layer idles: true if the device completed a request */

#endif
