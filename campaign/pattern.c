#include "campaign/pattern.h"

#include <stddef.h>
#include <string.h>

#include "assertion.h"

bool pattern_parse(const char *text, struct pattern *pattern)
{
    ASSERT(text != NULL && pattern != NULL);
    pattern->text = text;
    for (int k = 0; k < PATTERN_PARTS; k++) {
        size_t length = text == NULL ? 0 : strcspn(text, "/");
        if (text == NULL) {
            (void)strcpy(pattern->part[k], "*");
            continue;
        }
        if (length == 0 || length >= sizeof(pattern->part[k]))
            return false;
        memcpy(pattern->part[k], text, length);
        pattern->part[k][length] = '\0';
        text = text[length] == '/' ? text + length + 1 : NULL;
    }
    return text == NULL;
}

bool pattern_glob(const char *glob, const char *name)
{
    ASSERT(glob != NULL && name != NULL);
    const char *star = NULL, *retry = NULL;
    while (*name != '\0') {
        if (*glob == '*') {
            star = glob++;
            retry = name;
        } else if (*glob == *name) {
            glob++, name++;
        } else if (star != NULL) {
            glob = star + 1;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return *glob == '\0';
}

bool pattern_part(const char *glob, const char *name, const char *draw_name)
{
    return pattern_glob(glob, name) || pattern_glob(glob, draw_name);
}
