/*
 * From files to one tree: a campaign file, what it includes laid beneath it, --set, --trials and
 * --seed worked in. Nothing is checked here but what merging needs.
 */
#ifndef LORIS_CAMPAIGN_MERGE_H
#define LORIS_CAMPAIGN_MERGE_H

#include "campaign/plan.h"
#include "campaign/yaml.h"

#define INCLUDE_DEPTH_MAX 8u
#define INCLUDE_FILES_MAX                                                                          \
    64u /* assumption; of one campaign, each counted as often as it is named */

/*
 * Loads the campaign at request->path, or `text` in its place if that is not NULL. Returns the
 * merged root, a map, or NULL; complaints tell why (there may be some although a root came).
 */
struct yaml *merge_campaign(const struct plan_request *request, const char *text,
                            struct arena *arena, struct complaints *complaints);

/*
 * Puts a copy of `value` at `path` below `root`: parts between dots, "..." around a part with
 * dots, numbers count places of lists. Absent maps on the way are made; their keys stand at
 * `place`. name: of the whole, in messages ("variants.loris"); "" for the root. Returns whether it
 * could.
 */
bool merge_set_path(struct yaml *root, const char *path, struct place place,
                    const struct yaml *value, struct arena *arena, struct complaints *complaints);

/* The node at such a path, NULL if there is none. */
const struct yaml *merge_get_path(const struct yaml *root, const char *path, struct arena *arena);

/*
 * Splits off the first part of a path: copies it, unquoted, and sets *rest behind its dot (to the
 * end if it is the last). Returns NULL if the quoting is broken or the part is empty.
 */
char *merge_path_part(const char *path, const char **rest, struct arena *arena);

/* `path` as seen from the folder of the file that names it. */
const char *merge_relative(struct arena *arena, const char *file, const char *path);

#endif
