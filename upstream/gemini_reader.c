#include "upstream/gemini.h"

#include "base/buf.h"
#include "upstream/rewrite.h"
#include "upstream/sse.h"

#include <ctype.h>

#define HELD_MAX ((size_t)1 << 30) /* one event at a time, which was bounded when it was received */
#define DONE     "[DONE]"          /* not of this format; compatible servers were seen to send it */

/* The finish is in the last chunk with content, so that it could leave before the answer is
 * settled: chunks from the finish on are held until something follows or the bytes end. */
struct pass {
    struct buf held[2]; /* what is held, and what was let go and waits to be written */
    unsigned at;        /* which of them is the first */
    bool is_begun;      /* the client has an element of the array */
};

static void clear_pass(void *own)
{
    struct pass *p = own;

    buf_clear(&p->held[0]);
    buf_clear(&p->held[1]);
}

/* NULL when memory is out. */
static struct pass *pass_of(struct reader *r)
{
    struct pass *p = r->own;

    if (p)
        return p;
    p = arena_alloc(r->arena, sizeof(*p));
    if (!p)
        return NULL;
    buf_init(&p->held[0], HELD_MAX);
    buf_init(&p->held[1], HELD_MAX);
    if (arena_defer(r->arena, clear_pass, p))
        return NULL;
    r->own = p;
    return p;
}

struct gemini_frame gemini_reader_frame(const struct reader *r)
{
    const struct pass *p = r->own;

    return (struct gemini_frame){r->request->is_array, p && p->is_begun};
}

/* ---- what was produced ---- */

static void add_text(struct reader *r, struct jvalue v)
{
    struct slice text = gemini_word(v);

    if (text.n == 0)
        return;
    text_size_add_escaped(&r->output, text);
    r->has_content = true;
}

/* {name, args}, {code}, {output}. */
static void add_members(struct reader *r, struct jvalue object)
{
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, object))
        return;
    r->has_content = true;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "args"))
            text_size_add(&r->output, m.value.raw);
        else if (!jscan_key_is(&m, "id"))
            add_text(r, m.value);
    }
}

static void add_part(struct reader *r, struct jvalue part)
{
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, part))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "text"))
            add_text(r, m.value);
        else if (jscan_key_is(&m, "functionCall") || jscan_key_is(&m, "executableCode") ||
                 jscan_key_is(&m, "toolCall"))
            add_members(r, m.value);
        else if (jscan_key_is(&m, "inlineData") || jscan_key_is(&m, "fileData") ||
                 jscan_key_is(&m, "codeExecutionResult"))
            r->has_content = true;
    }
}

static void read_candidate(struct reader *r, struct jvalue candidate)
{
    struct jvalue parts, part;
    struct gemini_list l;
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, candidate))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "content") && !gemini_find(m.value, "parts", &parts))
            for (gemini_list_begin(&l, parts); gemini_list_next(&l, &part);)
                add_part(r, part);
        else if (jscan_key_is(&m, "finishReason") && gemini_word(m.value).n)
            (void)slice_copy_z(r->finish_reason, sizeof(r->finish_reason), gemini_word(m.value));
    }
}

/* How many candidates there were. */
static size_t read_candidates(struct reader *r, const struct gemini_answer *a)
{
    struct jvalue candidate;
    struct gemini_list l;
    size_t n = 0;

    gemini_list_begin(&l, a->candidates);
    for (; gemini_list_next(&l, &candidate); n++)
        read_candidate(r, candidate);
    return n;
}

/* ---- usage ---- */

/* The tier that the request was served in, which may be another than it asked for. */
static void take_tier(struct reader *r, struct jvalue usage)
{
    struct jvalue tier;
    size_t i;

    if (gemini_find(usage, "serviceTier", &tier) || gemini_word(tier).n == 0)
        return;
    (void)slice_copy_z(r->service_tier, sizeof(r->service_tier), gemini_word(tier));
    for (i = 0; r->service_tier[i]; i++)
        r->service_tier[i] = (char)tolower((unsigned char)r->service_tier[i]);
}

/* The first chunks count the prompt only. Should the stream break off there, what came is not
 * nothing: it is estimated. */
static void take_usage(struct reader *r, const struct gemini_answer *a)
{
    bool has_output = false;

    if (!a->usage.raw.p)
        return;
    take_tier(r, a->usage);
    if (gemini_read_usage(a->usage, &r->counts, &has_output))
        r->counts.is_known = has_output || !r->has_content;
}

/* Returns how many candidates there were, a blocked prompt counts as one. *has_content: this chunk
 * has any. */
static size_t read_answer(struct reader *r, const struct gemini_answer *a, bool *has_content)
{
    struct slice blocked = gemini_block_reason(a);
    bool had_content = r->has_content;
    size_t candidates;

    r->has_content = false;
    candidates = read_candidates(r, a);
    *has_content = r->has_content;
    r->has_content |= had_content;
    if (candidates == 0 && blocked.n)
        (void)slice_copy_z(r->finish_reason, sizeof(r->finish_reason), blocked);
    take_usage(r, a);
    return candidates + (blocked.n != 0);
}

/* ---- what the client gets in place of the bytes ---- */

static size_t find_cuts(struct reader *r, const struct gemini_answer *a, char *cost,
                        struct cut *cuts)
{
    size_t n = 0;

    if (rewrite_renames_model(r, a->model))
        cuts[n++] = (struct cut){a->model.raw, NULL};
    n += rewrite_cost(r, a->usage, cost, &cuts[n]);
    return n;
}

static void take_error(struct reader *r, const struct gemini_answer *a)
{
    struct gemini_error error;

    reader_default_error(r, ERR_UP_FAILED);
    gemini_parse_error(a->error, r->arena, &error);
    if (error.text.n)
        (void)slice_copy_z(r->error_text, sizeof(r->error_text), error.text);
    if (error.status.n)
        (void)slice_copy_z(r->error_code, sizeof(r->error_code), error.status);
    r->error_class = gemini_error_class(&error, ERR_UP_FAILED);
}

/* Keeps text behind what is held. What was held goes when the chunk has content: then the answer
 * goes on, and the finish was none (old models say it with every chunk). */
static enum err hold(struct reader *r, struct pass *p, struct slice text, bool has_content)
{
    bool is_array = r->request->is_array;
    struct buf *b = &p->held[p->at];
    enum err e;

    if (b->n && has_content) {
        r->replacement = buf_slice(b);
        p->is_begun = true;
        p->at ^= 1;
        b = &p->held[p->at];
        buf_reset(b);
    }
    e = is_array ? buf_append_slice(b, gemini_frame_open(true, !p->is_begun && b->n == 0)) : ERR_OK;
    if (!e)
        e = buf_append_slice(b, text);
    if (!e && !is_array && text.p[text.n - 1] != '\n') /* the last line of the stream */
        e = buf_append_z(b, "\n\n");
    return e;
}

/* An element of the array that is not held. */
static enum err frame(struct reader *r, struct pass *p, struct slice text)
{
    struct buf *b = &p->held[p->at];
    enum err e;

    buf_reset(b);
    e = buf_append_slice(b, gemini_frame_open(true, !p->is_begun));
    if (!e)
        e = buf_append_slice(b, text);
    if (e)
        return e;
    r->replacement = buf_slice(b);
    p->is_begun = true;
    p->at ^= 1;
    buf_reset(&p->held[p->at]);
    return ERR_OK;
}

static enum err replace(struct reader *r, const struct sse_event *e, const struct gemini_answer *a,
                        struct slice *text)
{
    char cost[COST_MEMBER_SIZE];
    struct cut cuts[2];
    size_t n = find_cuts(r, a, cost, cuts);
    enum err err;

    if (r->request->is_array)
        return rewrite_whole(r, a->text, cuts, n, text);
    err = rewrite_event(r, e, a->text, cuts, n);
    *text = r->replacement.p ? r->replacement : e->raw;
    return err;
}

static enum event_verdict pass_on(struct reader *r, const struct sse_event *e,
                                  const struct gemini_answer *a, bool has_content)
{
    struct slice text;
    struct pass *p;

    if (replace(r, e, a, &text))
        return EVENT_MALFORMED;
    if (!r->finish_reason[0] && !r->request->is_array)
        return EVENT_FORWARD;
    p = pass_of(r);
    if (!p)
        return EVENT_MALFORMED;
    r->replacement = (struct slice){NULL, 0};
    if (r->finish_reason[0] ? hold(r, p, text, has_content) : frame(r, p, text))
        return EVENT_MALFORMED;
    return r->replacement.p ? EVENT_FORWARD : EVENT_WITHHOLD;
}

/* ---- the readers ---- */

enum event_verdict gemini_read_event(struct reader *r, const struct sse_event *e)
{
    struct slice data = slice_trim(e->data);
    struct gemini_answer a;
    bool has_content;

    r->replacement = (struct slice){NULL, 0};
    if (data.n == 0 || slice_eq_z(data, DONE))
        return EVENT_WITHHOLD; /* comments and the like, which clients of this format choke on */
    if (gemini_scan(data, &a))
        return EVENT_MALFORMED;
    if (a.error.raw.p) {
        take_error(r, &a);
        return EVENT_FAIL;
    }
    (void)read_answer(r, &a, &has_content);
    r->chunks += has_content;
    return pass_on(r, e, &a, has_content);
}

enum event_verdict gemini_read_end(struct reader *r)
{
    struct pass *p = r->own;
    struct buf *b;

    if (r->finish_reason[0] == '\0' || !p)
        return EVENT_MALFORMED;
    b = &p->held[p->at];
    if (r->request->is_array && buf_append_z(b, GEMINI_ARRAY_END))
        return EVENT_MALFORMED;
    r->is_ended = true;
    r->replacement = buf_slice(b);
    return EVENT_END;
}

enum err gemini_read_whole(struct reader *r, struct slice body, struct slice *out)
{
    char cost[COST_MEMBER_SIZE];
    struct gemini_answer a;
    struct cut cuts[2];
    bool has_content;
    size_t n;
    enum err e;

    r->replacement = (struct slice){NULL, 0};
    if (gemini_scan(body, &a))
        return ERR_UP_MALFORMED;
    if (a.error.raw.p) {
        take_error(r, &a);
        return ERR_UP_FAILED;
    }
    if (read_answer(r, &a, &has_content) == 0 && !(r->request->verb && a.embedding.raw.p))
        return ERR_UP_MALFORMED;
    n = find_cuts(r, &a, cost, cuts);
    e = rewrite_whole(r, body, cuts, n, out);
    r->is_ended = e == ERR_OK;
    return e;
}
