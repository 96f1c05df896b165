#include "workloads/tests/oracle/scene.h"

#include <string.h>

#include "assertion.h"
#include "workloads/oracle/content.h"

#define FD 3

void scene_open(struct scene *s, uint32_t environments)
{
    memset(s, 0, sizeof(*s));
    s->h = history_create();
    s->o = observation_create();
    s->j = judge_create();
    history_reset(s->h, environments);
    for (uint32_t e = 0; e < environments; e++)
        (void)history_add_app(s->h, e);
}

void scene_close(struct scene *s)
{
    judge_destroy(s->j);
    observation_destroy(s->o);
    history_destroy(s->h);
}

uint32_t scene_begin(struct scene *s, uint32_t app, struct history_call call)
{
    s->now += 10;
    return history_begin(s->h, app, s->now, &call);
}

void scene_end(struct scene *s, uint32_t op, struct history_answer answer)
{
    s->now += 10;
    (void)history_end(s->h, op, s->now, &answer);
}

uint32_t scene_do(struct scene *s, uint32_t app, struct history_call call, enum err result)
{
    uint32_t op = scene_begin(s, app, call);
    struct history_answer answer = {.result = result, .fd = FD, .moved = call.length};
    scene_end(s, op, answer);
    return op;
}

uint32_t scene_write(struct scene *s, uint32_t app, uint64_t offset, uint64_t bytes)
{
    return scene_do(
        s, app,
        (struct history_call){.kind = HISTORY_WRITE, .fd = FD, .offset = offset, .length = bytes},
        OK);
}

uint32_t scene_file(struct scene *s, uint32_t app, const char *path, uint64_t bytes)
{
    (void)scene_do(s, app,
                   (struct history_call){
                       .kind = HISTORY_OPEN, .path = path, .flags = HISTORY_CREATE, .mode = 0644},
                   OK);
    return scene_write(s, app, 0, bytes);
}

uint32_t scene_fsync(struct scene *s, uint32_t app)
{
    return scene_do(s, app, (struct history_call){.kind = HISTORY_FSYNC, .fd = FD}, OK);
}

void scene_cut(struct scene *s)
{
    s->now += 10;
    history_mark(s->h, HISTORY_MARK_FAULT, s->now, NULL);
    for (uint32_t a = 0; a < history_apps(s->h); a++)
        history_kill(s->h, a, s->now, HISTORY_POWER);
}

bool scene_read(struct scene *s, uint32_t app, uint64_t offset, uint64_t asked, uint64_t came)
{
    struct history_call call = {.kind = HISTORY_READ, .fd = FD, .offset = offset, .length = asked};
    uint32_t op = scene_begin(s, app, call);
    scene_end(s, op, (struct history_answer){.moved = came, .data = s->bytes + offset});
    return !history_op(s->h, op)->wrong;
}

void scene_fill(struct scene *s, uint32_t writer, uint64_t offset, uint64_t bytes)
{
    ASSERT(offset + bytes <= sizeof(s->bytes));
    content_fill(history_op(s->h, writer)->inode, writer, offset, s->bytes + offset, bytes);
}

uint32_t scene_see(struct scene *s, uint32_t dir, const char *name, uint64_t ino, uint64_t size)
{
    uint32_t node = observe_entry(s->o, dir, name, HISTORY_FILE);
    struct history_stat stat = {
        .ino = ino, .size = size, .type = HISTORY_FILE, .mode = 0644, .nlink = 1};
    observe_stat(s->o, node, OK, &stat);
    observe_data(s->o, node, 0, OK, s->bytes, size);
    return node;
}

uint32_t scene_see_dir(struct scene *s, uint32_t dir, const char *name, uint64_t ino)
{
    uint32_t node = observe_entry(s->o, dir, name, HISTORY_DIRECTORY);
    struct history_stat stat = {.ino = ino, .type = HISTORY_DIRECTORY, .mode = 0755, .nlink = 2};
    observe_stat(s->o, node, OK, &stat);
    observe_listing(s->o, node, OK);
    return node;
}

uint32_t scene_root(struct scene *s, uint32_t environment, bool shared)
{
    uint32_t root = observe_root(s->o, environment, shared);
    observe_listing(s->o, root, OK);
    return root;
}

enum level scene_judge(struct scene *s)
{
    struct judge_input in = {.history = s->h, .observed = s->o};
    judge_trial(s->j, &in, &s->v);
    return s->v.level;
}
