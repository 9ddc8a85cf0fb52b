#include "upstream/anthropic.h"

#include "base/buf.h"
#include "upstream/members.h"
#include "upstream/splice.h"

#include <string.h>

#define EDITS_OWN 3 /* output limit, messages, model */

/* The members that we read. Those we bill or route on may not occur twice: the provider might take
 * the other one. */
enum known {
    KNOWN_MODEL,
    KNOWN_MESSAGES,
    KNOWN_SYSTEM,
    KNOWN_STREAM,
    KNOWN_MAX_TOKENS,
    KNOWN_TOOLS,
    KNOWN_OUTPUT_CONFIG,
    KNOWN_METADATA,
    KNOWN_CONTAINER,
    KNOWN_MCP_SERVERS,
    KNOWN_THREAD,
    KNOWN_COUNT
};

static const struct known_member known[KNOWN_COUNT] = {
    [KNOWN_MODEL] = {"model",         true },
    [KNOWN_MESSAGES] = {"messages",      true },
    [KNOWN_SYSTEM] = {"system",        true },
    [KNOWN_STREAM] = {"stream",        true },
    [KNOWN_MAX_TOKENS] = {"max_tokens",    true },
    [KNOWN_TOOLS] = {"tools",         true },
    [KNOWN_OUTPUT_CONFIG] = {"output_config", false},
    [KNOWN_METADATA] = {"metadata",      false},
    [KNOWN_CONTAINER] = {"container",     true },
    [KNOWN_MCP_SERVERS] = {"mcp_servers",   true },
    [KNOWN_THREAD] = {"thread",        true },
};

/* 0 is allowed: nothing is answered, the cache is filled. */
static enum err read_output_max(struct members *m, int64_t *out)
{
    int64_t value = -1;

    if (!members_has(m, KNOWN_MAX_TOKENS))
        return ERR_OK;
    if (!jscan_i64(m->values[KNOWN_MAX_TOKENS], &value) && value == 0) {
        *out = 0;
        return ERR_OK;
    }
    return members_output_max(m, KNOWN_MAX_TOKENS, out);
}

/* A container's files, the tools of an MCP server and a stored conversation are input that the
 * body does not show. */
static bool has_state(const struct members *m)
{
    return members_has(m, KNOWN_CONTAINER) || members_has(m, KNOWN_THREAD) ||
           (members_has(m, KNOWN_MCP_SERVERS) &&
            !slice_eq_z(m->values[KNOWN_MCP_SERVERS].raw, "[]"));
}

static void read_affinity(const struct members *m, struct format_request *out)
{
    struct jvalue id;

    if (members_has(m, KNOWN_METADATA) && !jscan_find(m->values[KNOWN_METADATA], "user_id", &id) &&
        id.kind == JSCAN_STRING)
        out->affinity = (struct slice){id.raw.p + 1, id.raw.n - 2};
}

static enum err read_request(const struct format_call *call, struct arena *a,
                             struct format_request *out, struct fault *fault)
{
    struct format_request r = {.body = call->body,
                               .verb = call->verb,
                               .output_max = -1,
                               .choices = 1,
                               .wants_usage = true};
    struct anthropic_input input;
    struct members m;
    enum err e;

    e = members_read(&m, call->body, a, known, KNOWN_COUNT, fault);
    if (!e)
        e = members_model(&m, KNOWN_MODEL, &r.model);
    if (!e && !members_has(&m, KNOWN_MESSAGES))
        e = members_fail(&m, KNOWN_MESSAGES, "required");
    if (!e)
        e = members_bool(&m, KNOWN_STREAM, &r.is_stream);
    if (!e)
        e = read_output_max(&m, &r.output_max);
    if (e)
        return e;
    r.members = m.items;
    r.members_n = m.n;
    r.has_reference = has_state(&m);
    read_affinity(&m, &r);
    input = (struct anthropic_input){m.values[KNOWN_MESSAGES], m.values[KNOWN_SYSTEM],
                                     m.values[KNOWN_TOOLS], m.values[KNOWN_OUTPUT_CONFIG]};
    e = anthropic_read_input(&input, a, &r, fault);
    if (!e)
        *out = r;
    return e;
}

/* ---- thinking that another vendor's model did for this client ----
 *
 * Its signature is an envelope of ours, which Anthropic would refuse: such blocks are left out. */

#define FOREIGN_SIGNATURE "\"aip1."

static bool is_foreign(struct jvalue block)
{
    struct jvalue v;

    if (jscan_find(block, "type", &v))
        return false;
    if (slice_eq_z(v.raw, "\"thinking\""))
        return !jscan_find(block, "signature", &v) && slice_starts(v.raw, FOREIGN_SIGNATURE);
    return slice_eq_z(v.raw, "\"redacted_thinking\"") && !jscan_find(block, "data", &v) &&
           slice_starts(v.raw, FOREIGN_SIGNATURE);
}

static bool has_foreign(struct jvalue content)
{
    struct jvalue block;
    struct jscan s;

    if (jscan_array(&s, content))
        return false;
    while (!jscan_next_element(&s, &block))
        if (is_foreign(block))
            return true;
    return false;
}

/* Appends the message with the blocks that are Anthropic's own; nothing when none is left. */
static enum err append_own(struct buf *b, struct jvalue message, struct jvalue content)
{
    struct slice head = {message.raw.p, (size_t)(content.raw.p - message.raw.p)}, tail;
    size_t mark = b->n, kept = 0;
    struct jvalue block;
    struct jscan s;
    enum err e = buf_append_slice(b, head);

    tail.p = content.raw.p + content.raw.n;
    tail.n = (size_t)(message.raw.p + message.raw.n - tail.p);
    if (!e)
        e = jscan_array(&s, content);
    while (!e && !jscan_next_element(&s, &block)) {
        if (is_foreign(block))
            continue;
        e = buf_append_z(b, kept++ ? "," : "[");
        if (!e)
            e = buf_append_slice(b, block.raw);
    }
    if (!e && kept == 0) {
        b->n = mark;
        return ERR_OK;
    }
    if (!e)
        e = buf_append_z(b, "]");
    return e ? e : buf_append_slice(b, tail);
}

static enum err append_messages(struct buf *b, struct slice messages)
{
    struct jvalue message, content;
    struct jscan s;
    enum err e = jscan_array(&s, (struct jvalue){JSCAN_ARRAY, messages});

    if (!e)
        e = buf_append_z(b, "[");
    while (!e && !jscan_next_element(&s, &message)) {
        size_t mark = b->n;

        if (mark > 1)
            e = buf_append_z(b, ",");
        if (e)
            return e;
        if (jscan_find(message, "content", &content) || !has_foreign(content))
            e = buf_append_slice(b, message.raw);
        else
            e = append_own(b, message, content);
        if (!e && b->n == mark + (mark > 1))
            b->n = mark; /* a turn of nothing but such thinking: its neighbours may meet */
    }
    return e ? e : buf_append_z(b, "]");
}

static enum err remove_foreign(struct splicer *s, const struct format_request *r, struct arena *a)
{
    struct slice messages, kept;
    struct buf b;
    enum err e;

    if (!memmem(r->body.p, r->body.n, FOREIGN_SIGNATURE, strlen(FOREIGN_SIGNATURE)) ||
        splicer_find(s, "messages", &messages))
        return ERR_OK;
    buf_init(&b, r->body.n + 2);
    e = append_messages(&b, messages);
    kept = buf_slice(&b);
    if (!e) {
        kept.p = arena_copy(a, kept);
        e = kept.p ? splicer_set(s, "messages", kept) : ERR_MEMORY;
    }
    buf_clear(&b);
    return e;
}

/* ---- the request as it goes out ---- */

static enum err write_request(const struct format_request *r, const struct format_target *t,
                              struct arena *a, struct splice *out)
{
    struct splicer s;
    enum err e;

    e = splicer_init(&s, a, r->body, r->members, r->members_n, t->edits_n + EDITS_OWN);
    if (!e)
        e = splicer_inject_output_max(&s, "max_tokens", r, t);
    if (!e)
        e = remove_foreign(&s, r, a);
    return e ? e : splicer_finish_target(&s, r, t, out);
}

static const char *auth_header(struct arena *a, const char *secret)
{
    return arena_printf(a, "x-api-key: %s", secret);
}

static const char *path(struct arena *a, const char *upstream_model,
                        const struct format_request *in)
{
    (void)a;
    (void)upstream_model;
    (void)in;
    return "/messages";
}

static const char *const forwarded_headers[] = {"anthropic-version", "anthropic-beta", NULL};
static const char *const default_headers[] = {"anthropic-version: 2023-06-01", NULL};

#define PING "event: ping\ndata: {\"type\":\"ping\"}\n\n"

const struct format format_anthropic = {
    .name = "anthropic",
    .vendor = VENDOR_ANTHROPIC,
    .reader = {anthropic_read_event, anthropic_read_end, anthropic_read_whole,
               anthropic_read_error},
    .forwarded_headers = forwarded_headers,
    .default_headers = default_headers,
    .read_request = read_request,
    .path = path,
    .write_request = write_request,
    .auth_header = auth_header,
    .write_stream_error = anthropic_write_stream_error,
    .ping = {PING, sizeof(PING) - 1                  },
    .decode_request = anthropic_decode_request,
    .encode_request = anthropic_encode_request,
    .needs_bytes = anthropic_needs_bytes,
    .decode_begin = anthropic_decode_begin,
    .decode_event = anthropic_decode_event,
    .decode_end = anthropic_decode_end,
    .decode_whole = anthropic_decode_whole,
    .encode_begin = anthropic_encode_begin,
    .encode_event = anthropic_encode_event,
    .encode_end = anthropic_encode_end,
};
