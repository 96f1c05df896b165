#include "results/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "assertion.h"

/* Bytes of the well-formed UTF-8 character at `text`, 0 if there is none (RFC 3629). */
static size_t utf8_bytes(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    size_t bytes = text[0] >= 0xF0 && text[0] <= 0xF4   ? 4
                   : text[0] >= 0xE0 && text[0] <= 0xEF ? 3
                   : text[0] >= 0xC2 && text[0] <= 0xDF ? 2
                                                        : 0;
    for (size_t i = 1; i < bytes; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F) ||
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F))
        return 0; /* overlong, a surrogate, beyond U+10FFFF */
    return bytes;
}

void text_json(FILE *out, const char *text)
{
    if (text == NULL) {
        fputs("null", out);
        return;
    }
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p != 0;) {
        size_t bytes = utf8_bytes(p);
        if (bytes == 0)
            fputs("\\ufffd", out);
        else if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else if (*p < 0x20)
            fprintf(out, "\\u%04x", *p);
        else
            fwrite(p, 1, bytes, out);
        p += bytes == 0 ? 1 : bytes;
    }
    fputc('"', out);
}

void text_json_number(FILE *out, double value)
{
    if (!isfinite(value))
        fputs("null", out);
    else if (value == floor(value) && fabs(value) < 9e15)
        fprintf(out, "%.0f", value);
    else
        fprintf(out, "%.10g", value);
}

void text_xml(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != 0;) {
        size_t bytes = utf8_bytes(p);
        if (*p == '&')
            fputs("&amp;", out);
        else if (*p == '<')
            fputs("&lt;", out);
        else if (*p == '>')
            fputs("&gt;", out);
        else if (*p == '"')
            fputs("&quot;", out);
        else if (bytes == 0 || (*p < 0x20 && *p != '\n' && *p != '\t'))
            fputc('?', out);
        else
            fwrite(p, 1, bytes, out);
        p += bytes == 0 ? 1 : bytes;
    }
}

void text_csv(FILE *out, const char *text)
{
    if (text == NULL)
        return;
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != 0; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

void text_markdown(FILE *out, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '|' || *text == '\\')
            fputc('\\', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
}

const char *text_time(char *room, double time_ns)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{86400e9, "d"}, {3600e9, "h"}, {60e9, "min"},
                 {1e9, "s"},     {1e6, "ms"},   {1e3, "us"}};
    if (!isfinite(time_ns) || time_ns == 0) {
        snprintf(room, TEXT_SHORT_BYTES, "%s", time_ns == 0 ? "0" : "-");
        return room;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        double value = time_ns / units[i].ns;
        if (fabs(value) < 0.9995)
            continue;
        int digits = fabs(value) < 9.95 ? 1 : 0;
        snprintf(room, TEXT_SHORT_BYTES, "%.*f %s", digits, value, units[i].name);
        return room;
    }
    snprintf(room, TEXT_SHORT_BYTES, "%.0f ns", time_ns);
    return room;
}

const char *text_percent(char *room, double share)
{
    if (!isfinite(share)) {
        snprintf(room, TEXT_SHORT_BYTES, "-");
        return room;
    }
    if (share == 0 || share == 1) {
        snprintf(room, TEXT_SHORT_BYTES, "%.0f %%", share * 100);
        return room;
    }
    double edge = fmin(share, 1 - share); /* more digits where the next is all or nothing */
    int digits = edge >= 0.0005 ? 1 : edge >= 0.00005 ? 2 : 3;
    snprintf(room, TEXT_SHORT_BYTES, "%.*f %%", digits, share * 100);
    return room;
}

const char *text_count(char *room, uint64_t value)
{
    char plain[TEXT_SHORT_BYTES];
    int length = snprintf(plain, sizeof(plain), "%" PRIu64, value);
    char *to = room;
    for (int i = 0; i < length; i++) {
        *to++ = plain[i];
        if ((length - i) % 3 == 1 && i + 1 < length)
            *to++ = ',';
    }
    *to = 0;
    return room;
}

/* Optimal string alignment up to 63 characters; 99 beyond. */
static unsigned edits(const char *a, const char *b)
{
    unsigned row[3][64];
    size_t n = strlen(a), m = strlen(b);
    if (n > 63 || m > 63)
        return 99;
    for (size_t j = 0; j <= m; j++)
        row[1][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *now = row[(i + 1) % 3], *last = row[i % 3], *before = row[(i + 2) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[(n + 1) % 3][m];
}

const char *text_nearest(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    unsigned least = 3;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = edits(word, names[i]);
        if (distance < least) {
            least = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text != 0; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

void text_stem(const char *path, char *room, size_t bytes)
{
    const char *name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;
    size_t length = strlen(name);
    if (length > 3 && strcmp(name + length - 3, ".db") == 0)
        length -= 3;
    ASSERT(bytes > 0);
    length = length < bytes ? length : bytes - 1;
    memcpy(room, name, length);
    room[length] = 0;
}
