#include "upstream/rewrite.h"

#include "base/buf.h"
#include "upstream/sse.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CUTS_MAX 4

bool rewrite_renames_model(const struct reader *r, struct jvalue model)
{
    return model.raw.p && r->public_model && r->upstream_model &&
           strcmp(r->public_model, r->upstream_model) != 0;
}

bool rewrite_cost(struct reader *r, struct jvalue usage, char *dst, struct cut *cut)
{
    char cost[READER_COST_SIZE];
    struct jmember m;
    struct jscan s;
    size_t members = 0;

    if (!r->cost_text || !r->counts.is_known || !usage.raw.p || jscan_object(&s, usage))
        return false;
    r->cost_text(r->cost_ctx, r, cost);
    *cut = (struct cut){
        {usage.raw.p + usage.raw.n - 1, 0},
        dst
    };
    for (; !jscan_next_member(&s, &m); members++) {
        if (!jscan_key_is(&m, "cost"))
            continue;
        cut->old = m.value.raw;
        (void)snprintf(dst, COST_MEMBER_SIZE, "%s", cost);
        return true;
    }
    (void)snprintf(dst, COST_MEMBER_SIZE, "%s\"cost\":%s", members ? "," : "", cost);
    return true;
}

static void sort_cuts(struct cut *cuts, size_t n)
{
    size_t i, k;

    assert(n <= CUTS_MAX);
    for (i = 1; i < n; i++)
        for (k = i; k > 0 && cuts[k].old.p < cuts[k - 1].old.p; k--) {
            struct cut later = cuts[k - 1];

            cuts[k - 1] = cuts[k];
            cuts[k] = later;
        }
}

/* Appends text; within an event that was joined from several data lines each line gets its field
 * name back. */
static enum err append_text(struct buf *b, struct slice text, bool is_joined)
{
    enum err e = ERR_OK;

    while (is_joined && !e) {
        struct slice line = slice_split(&text, '\n');

        e = buf_append_slice(b, line);
        if (e || !text.p)
            return e;
        e = buf_append_z(b, "\ndata: ");
    }
    return e ? e : buf_append_slice(b, text);
}

/* Writes text without its cuts into the scratch buffer. */
static enum err write_cuts(struct reader *r, struct slice text, const struct cut *cuts, size_t n,
                           bool is_joined)
{
    const char *at = text.p;
    enum err e = ERR_OK;
    size_t i;

    for (i = 0; i < n && !e; i++) {
        e = append_text(r->scratch, (struct slice){at, (size_t)(cuts[i].old.p - at)}, is_joined);
        if (!e)
            e = cuts[i].text ? buf_append_z(r->scratch, cuts[i].text)
                             : jscan_escape(r->scratch, slice_of(r->public_model));
        at = cuts[i].old.p + cuts[i].old.n;
    }
    return e ? e
             : append_text(r->scratch, (struct slice){at, (size_t)(text.p + text.n - at)},
                           is_joined);
}

enum err rewrite_event(struct reader *r, const struct sse_event *e, struct slice data,
                       struct cut *cuts, size_t n)
{
    bool is_joined = e->data.p < e->raw.p || e->data.p >= e->raw.p + e->raw.n;
    enum err err;

    if (n == 0)
        return ERR_OK;
    sort_cuts(cuts, n);
    buf_reset(r->scratch);
    if (is_joined) {
        err = e->type.n ? buf_printf(r->scratch, "event: %.*s\n", SLICE_FMT(e->type)) : ERR_OK;
        if (!err)
            err = buf_append_z(r->scratch, "data: ");
        if (!err)
            err = write_cuts(r, data, cuts, n, true);
        if (!err)
            err = buf_append_z(r->scratch, "\n\n");
    } else {
        err = write_cuts(r, e->raw, cuts, n, false);
    }
    if (!err)
        r->replacement = buf_slice(r->scratch);
    return err;
}

enum err rewrite_whole(struct reader *r, struct slice body, struct cut *cuts, size_t n,
                       struct slice *out)
{
    enum err e;

    if (n == 0) {
        *out = body;
        return ERR_OK;
    }
    sort_cuts(cuts, n);
    buf_reset(r->scratch);
    e = write_cuts(r, body, cuts, n, false);
    if (!e)
        *out = buf_slice(r->scratch);
    return e;
}
