#include "upstream/stop_cut.h"

#include <string.h>

#define WAITING_MAX ((size_t)16 << 20)

void stop_cut_init(struct stop_cut *s)
{
    *s = (struct stop_cut){0};
    buf_init(&s->waiting, WAITING_MAX);
}

void stop_cut_clear(struct stop_cut *s)
{
    buf_clear(&s->waiting);
}

void stop_cut_set(struct stop_cut *s, const struct slice *stops, size_t n)
{
    s->stops = stops;
    s->stops_n = n;
}

bool stop_cut_is_set(const struct stop_cut *s)
{
    return s->stops_n > 0;
}

struct slice stop_cut_found(const struct stop_cut *s)
{
    return s->found;
}

/* Where the earliest stop sequence begins in text, *found set; text.n when there is none. */
static size_t find(const struct stop_cut *s, struct slice text, struct slice *found)
{
    size_t best = text.n, i;

    for (i = 0; i < s->stops_n; i++) {
        const char *p = s->stops[i].n ? memmem(text.p, text.n, s->stops[i].p, s->stops[i].n) : NULL;
        size_t at = p ? (size_t)(p - text.p) : text.n;

        if (!p || at > best || (at == best && s->stops[i].n <= found->n))
            continue;
        best = at;
        *found = s->stops[i];
    }
    return best;
}

/* How many bytes at the end of text may begin a stop sequence. */
static size_t tail(const struct stop_cut *s, struct slice text)
{
    size_t longest = 0, i, n;

    for (i = 0; i < s->stops_n; i++) {
        struct slice stop = s->stops[i];

        if (!stop.p || stop.n == 0)
            continue;
        for (n = stop.n > text.n ? text.n : stop.n - 1; n > longest; n--)
            if (memcmp(text.p + text.n - n, stop.p, n) == 0)
                longest = n;
    }
    return longest;
}

enum err stop_cut_feed(struct stop_cut *s, struct slice text, struct slice *out, bool *is_cut)
{
    struct slice found = {NULL, 0}, all;
    size_t at;
    enum err e;

    buf_consume(&s->waiting, s->given);
    s->given = 0;
    e = buf_append_slice(&s->waiting, text);
    if (e)
        return e;
    all = buf_slice(&s->waiting);
    if (all.n == 0) {
        *out = all;
        *is_cut = false;
        return ERR_OK;
    }
    at = find(s, all, &found);
    *is_cut = found.p != NULL;
    if (*is_cut)
        s->found = found;
    else
        at = all.n - tail(s, all);
    s->given = at;
    *out = (struct slice){all.p, at};
    return ERR_OK;
}

struct slice stop_cut_rest(struct stop_cut *s)
{
    struct slice rest;

    buf_consume(&s->waiting, s->given);
    rest = buf_slice(&s->waiting);
    s->given = rest.n;
    return rest;
}
