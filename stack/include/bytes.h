/*
 * Little-endian fields of on-disk formats: formats are encoded and decoded field by field, never by
 * casting a struct onto bytes.
 */
#ifndef LORIS_BYTES_H
#define LORIS_BYTES_H

#include <stdint.h>

static inline uint16_t get_le16(const uint8_t *raw)
{
    return (uint16_t)(raw[0] | (uint32_t)raw[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *raw)
{
    return (uint32_t)raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 |
           (uint32_t)raw[3] << 24;
}

static inline uint64_t get_le64(const uint8_t *raw)
{
    return (uint64_t)get_le32(raw) | (uint64_t)get_le32(raw + 4) << 32;
}

static inline void put_le16(uint8_t *raw, uint16_t value)
{
    raw[0] = (uint8_t)value;
    raw[1] = (uint8_t)(value >> 8);
}

static inline void put_le32(uint8_t *raw, uint32_t value)
{
    raw[0] = (uint8_t)value;
    raw[1] = (uint8_t)(value >> 8);
    raw[2] = (uint8_t)(value >> 16);
    raw[3] = (uint8_t)(value >> 24);
}

static inline void put_le64(uint8_t *raw, uint64_t value)
{
    put_le32(raw, (uint32_t)value);
    put_le32(raw + 4, (uint32_t)(value >> 32));
}

#endif
