#include "workloads/oracle/content.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

/* Odd constants of MurmurHash3's 64-bit finaliser (Appleby, public domain): each step below is a
 * bijection, so the whole is one of the place. */
#define MIX_A UINT64_C(0xff51afd7ed558ccd)
#define MIX_B UINT64_C(0xc4ceb9fe1a85ec53)
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

#define MATCH_WORDS 64u /* compared at a time */

static uint64_t key_of(uint32_t inode, uint32_t writer)
{
    uint64_t z = ((uint64_t)inode << 32 | writer) + GOLDEN;
    z = (z ^ z >> 33) * MIX_A;
    z = (z ^ z >> 33) * MIX_B;
    return z ^ z >> 33;
}

static inline uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 32) * MIX_A;
    return z ^ z >> 29;
}

/* Places that follow each other differ by GOLDEN before the mixing. */
static inline uint64_t word_at(uint64_t key, uint64_t place)
{
    return mix(key + place * GOLDEN);
}

/* All content is written once and compared several times. A vector of 64-bit products takes a
 * seventh of the time, without an instruction for these half: the best of the copies that the host
 * can run is run. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define BY_VECTORS                                                                                 \
    __attribute__((optimize("O3"), target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define BY_VECTORS
#endif

BY_VECTORS static void fill_words(uint64_t key, uint64_t place, uint8_t *to, uint64_t words)
{
    uint64_t z = key + place * GOLDEN;
    for (uint64_t i = 0; i < words; i++, z += GOLDEN) {
        uint64_t word = htole64(mix(z));
        memcpy(to + 8 * i, &word, sizeof(word));
    }
}

/* How many words from the first agree. */
static uint64_t match_words(uint64_t key, uint64_t place, const uint8_t *from, uint64_t words)
{
    uint8_t want[8 * MATCH_WORDS];
    uint64_t i = 0;
    for (; words - i >= MATCH_WORDS; i += MATCH_WORDS) {
        fill_words(key, place + i, want, MATCH_WORDS);
        if (memcmp(want, from + 8 * i, sizeof(want)) != 0)
            break;
    }
    while (i < words && get_le64(from + 8 * i) == word_at(key, place + i))
        i++;
    return i;
}

void content_fill(uint32_t inode, uint32_t writer, uint64_t offset, uint8_t *to, uint64_t bytes)
{
    ASSERT(to != NULL || bytes == 0);
    ASSERT(writer != 0);
    uint64_t key = key_of(inode, writer);
    uint64_t done = 0;
    while (done < bytes) {
        uint64_t x = offset + done;
        if (x % 8 == 0 && bytes - done >= 8) {
            fill_words(key, x / 8, to + done, (bytes - done) / 8);
            done += (bytes - done) / 8 * 8;
            continue;
        }
        uint8_t word[8];
        put_le64(word, word_at(key, x / 8));
        uint64_t skip = x % 8;
        uint64_t part = 8 - skip < bytes - done ? 8 - skip : bytes - done;
        memcpy(to + done, word + skip, part);
        done += part;
    }
}

/* The bytes of one word, from byte `skip` on, that agree; at most `part`. */
static uint64_t match_word(uint64_t word, uint64_t skip, const uint8_t *from, uint64_t part)
{
    uint64_t same = 0;
    while (same < part && from[same] == (uint8_t)(word >> 8 * (skip + same)))
        same++;
    return same;
}

uint64_t content_match(uint32_t inode, uint32_t writer, uint64_t offset, const uint8_t *from,
                       uint64_t bytes)
{
    ASSERT(from != NULL || bytes == 0);
    ASSERT(writer != 0);
    uint64_t key = key_of(inode, writer);
    uint64_t done = 0;
    while (done < bytes) {
        uint64_t x = offset + done;
        if (x % 8 == 0) {
            done += 8 * match_words(key, x / 8, from + done, (bytes - done) / 8);
            if (done == bytes)
                break;
            x = offset + done;
        }
        uint64_t word = word_at(key, x / 8);
        uint64_t skip = x % 8;
        uint64_t part = 8 - skip < bytes - done ? 8 - skip : bytes - done;
        uint64_t same = match_word(word, skip, from + done, part);
        done += same;
        if (same < part)
            break;
    }
    return done;
}

uint64_t content_match_zeros(const uint8_t *from, uint64_t bytes)
{
    ASSERT(from != NULL || bytes == 0);
    uint64_t done = 0;
    while (bytes - done >= 8 && get_le64(from + done) == 0)
        done += 8;
    while (done < bytes && from[done] == 0)
        done++;
    return done;
}

/* FNV-1a over the name, its end and the value, with a last mix. */
uint64_t content_digest(const char *name, const uint8_t *value, uint64_t bytes)
{
    uint64_t z = UINT64_C(0xcbf29ce484222325);
    for (const char *p = name; *p != '\0'; p++)
        z = (z ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
    z *= UINT64_C(0x100000001b3);
    for (uint64_t k = 0; k < bytes; k++)
        z = (z ^ value[k]) * UINT64_C(0x100000001b3);
    z ^= z >> 29;
    return z == 0 ? 1 : z;
}
