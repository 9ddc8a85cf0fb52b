#include "tests/provider/responses.h"

#include <string.h>

enum { KEPT_MAX = 64 };

static struct kept {
    struct bytes id;
    struct bytes body;
} all[KEPT_MAX];

static size_t next;

static struct kept *find(struct span id)
{
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (all[i].id.len > 0 && all[i].id.len == id.len &&
            memcmp(all[i].id.data, id.at, id.len) == 0)
            return &all[i];
    return NULL;
}

void responses_kept_add(struct span id, struct bytes *body)
{
    struct kept *k = &all[next++ % KEPT_MAX];
    k->id.len = 0;
    bytes_put_span(&k->id, id);
    bytes_clear(&k->body);
    bytes_swap(&k->body, body);
}

struct span responses_kept_find(struct span id)
{
    const struct kept *k = find(id);
    return k != NULL ? (struct span){k->body.data, k->body.len} : (struct span){"", 0};
}

bool responses_kept_drop(struct span id)
{
    struct kept *k = find(id);
    if (k == NULL)
        return false;
    bytes_clear(&k->id);
    bytes_clear(&k->body);
    return true;
}

void responses_kept_clear(void)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        bytes_clear(&all[i].id);
        bytes_clear(&all[i].body);
    }
}
