#include "upstream/gemini.h"

#include "base/buf.h"
#include "upstream/members.h"
#include "upstream/signature.h"
#include "upstream/splice.h"

#include <inttypes.h>
#include <string.h>

#define CHOICES_MAX   128
#define EDITS_OWN     2 /* generationConfig, contents */
#define CONFIG        "generationConfig"
#define CONFIG_MAX    "maxOutputTokens"
#define MODEL_FIELD   "model"
#define MODELS        "models/"
#define TUNED_MODELS  "tunedModels/"
#define INPUT_MAX     ((size_t)1 << 30) /* what is copied was bounded when it was received */
#define NAME_MAX_SIZE 128               /* of a top-level member that an edit names */

/* The members that we read. Those we bill or route on may not occur twice: the provider might take
 * the other one. Each pair is one field in its two spellings. */
enum known {
    KNOWN_MODEL,
    KNOWN_CONTENTS,
    KNOWN_CONFIG,
    KNOWN_CONFIG_SNAKE,
    KNOWN_SYSTEM,
    KNOWN_SYSTEM_SNAKE,
    KNOWN_CACHED,
    KNOWN_CACHED_SNAKE,
    KNOWN_TOOLS,
    KNOWN_CONTENT,
    KNOWN_REQUESTS,
    KNOWN_COUNT
};

static const struct known_member known[KNOWN_COUNT] = {
    [KNOWN_MODEL] = {MODEL_FIELD,          false},
    [KNOWN_CONTENTS] = {"contents",           true },
    [KNOWN_CONFIG] = {CONFIG,               true },
    [KNOWN_CONFIG_SNAKE] = {"generation_config",  true },
    [KNOWN_SYSTEM] = {"systemInstruction",  true },
    [KNOWN_SYSTEM_SNAKE] = {"system_instruction", true },
    [KNOWN_CACHED] = {"cachedContent",      true },
    [KNOWN_CACHED_SNAKE] = {"cached_content",     true },
    [KNOWN_TOOLS] = {"tools",              true },
    [KNOWN_CONTENT] = {"content",            true },
    [KNOWN_REQUESTS] = {"requests",           true },
};

struct request_reader {
    struct members members;
    struct format_request request;
    struct gemini_request own;
};

/* ---- reading ---- */

/* The model's name: from the path; a member of that name is what some clients send besides. */
static enum err read_model(struct request_reader *r, const struct format_call *call)
{
    struct slice model = call->model;
    enum err e;

    if (!model.p) {
        e = members_model(&r->members, KNOWN_MODEL, &model);
        if (e)
            return e;
    }
    if (slice_starts(model, MODELS)) {
        model.p += strlen(MODELS);
        model.n -= strlen(MODELS);
    }
    r->request.model = model;
    return members_check_model(r->members.arena, model, MODEL_FIELD, r->members.fault);
}

/* A field in either spelling: *k is the one that is there. */
static enum err merge_spellings(struct request_reader *r, enum known camel, enum known snake,
                                enum known *k)
{
    bool is_snake = members_has(&r->members, snake);

    if (is_snake && members_has(&r->members, camel))
        return members_fail(&r->members, snake, "given twice");
    *k = is_snake ? snake : camel;
    return ERR_OK;
}

/* An integer of the configuration that may occur once. */
static enum err read_number(struct request_reader *r, struct jvalue v, const char *name,
                            int64_t max, int64_t *out)
{
    char *path = arena_printf(r->members.arena, CONFIG ".%s", name);
    int64_t n = 0;
    enum err e;

    if (!path)
        return ERR_MEMORY;
    if (*out != -1)
        return canon_fault(r->members.arena, r->members.fault, path, "given twice");
    e = gemini_i64(v, &n);
    if (e == ERR_RANGE && !memchr(v.raw.p, '-', v.raw.n))
        n = COUNT_MAX;
    else if (e || n < 1)
        return canon_fault(r->members.arena, r->members.fault, path,
                           "expected an integer of at least 1");
    if (n > max && max < COUNT_MAX)
        return canon_fault(r->members.arena, r->members.fault, path,
                           "expected an integer from 1 to %" PRId64, max);
    *out = n < max ? n : max;
    return ERR_OK;
}

static enum err read_config(struct request_reader *r, enum known k)
{
    int64_t choices = -1;
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (!members_has(&r->members, k))
        return ERR_OK;
    if (jscan_object(&s, r->members.values[k]))
        return members_fail(&r->members, k, "expected object");
    r->own.config_name = known[k].name;
    while (!e && !jscan_next_member(&s, &m)) {
        if (m.value.kind == JSCAN_NULL)
            continue;
        if (gemini_key_is(&m, CONFIG_MAX))
            e = read_number(r, m.value, CONFIG_MAX, COUNT_MAX, &r->request.output_max);
        else if (gemini_key_is(&m, "candidateCount"))
            e = read_number(r, m.value, "candidateCount", CHOICES_MAX, &choices);
    }
    r->request.choices = choices > 0 ? choices : 1;
    return e;
}

static enum err read_known(struct request_reader *r, const struct format_call *call,
                           struct gemini_input *input)
{
    enum known config = KNOWN_CONFIG, system = KNOWN_SYSTEM;
    struct members *m = &r->members;
    enum err e = read_model(r, call);

    if (call->verb) {
        *input = (struct gemini_input){.content = m->values[KNOWN_CONTENT],
                                       .requests = m->values[KNOWN_REQUESTS]};
        return e;
    }
    if (!e && !members_has(m, KNOWN_CONTENTS))
        e = members_fail(m, KNOWN_CONTENTS, "required");
    if (!e)
        e = merge_spellings(r, KNOWN_CONFIG, KNOWN_CONFIG_SNAKE, &config);
    if (!e)
        e = merge_spellings(r, KNOWN_SYSTEM, KNOWN_SYSTEM_SNAKE, &system);
    if (!e)
        e = read_config(r, config);
    if (e)
        return e;
    r->request.has_reference = members_has(m, KNOWN_CACHED) || members_has(m, KNOWN_CACHED_SNAKE);
    *input = (struct gemini_input){m->values[KNOWN_CONTENTS],
                                   m->values[system],
                                   m->values[KNOWN_TOOLS],
                                   m->values[config],
                                   {0},
                                   {0}};
    return ERR_OK;
}

static enum err read_request(const struct format_call *call, struct arena *a,
                             struct format_request *out, struct fault *fault)
{
    struct request_reader r = {0};
    struct gemini_input input;
    struct gemini_request *own;
    enum err e;

    r.request = (struct format_request){
        .body = call->body,
        .is_stream = call->is_stream,
        .is_array = call->is_stream && call->is_array,
        .verb = call->verb,
        .wants_usage = true,
        .output_max = call->verb ? 0 : -1, /* embeddings have no output */
        .choices = 1,
    };
    e = members_read(&r.members, call->body, a, known, KNOWN_COUNT, fault);
    if (!e)
        e = read_known(&r, call, &input);
    if (!e)
        e = call->verb ? gemini_read_embed(&input, a, &r.request, &r.own, fault)
                       : gemini_read_input(&input, a, &r.request, &r.own, fault);
    if (e)
        return e;
    own = arena_alloc(a, sizeof(*own));
    if (!own)
        return ERR_MEMORY;
    *own = r.own;
    r.request.own = own;
    r.request.members = r.members.items;
    r.request.members_n = r.members.n;
    *out = r.request;
    return ERR_OK;
}

/* ---- writing ---- */

/* The members of a validated object, in the arena. */
static enum err list_members(struct jvalue object, struct arena *a, struct jmember **out,
                             size_t *out_n)
{
    struct jmember m, *items = NULL;
    size_t n = 0, max = 0;
    struct jscan s;
    enum err e;

    e = jscan_object(&s, object);
    while (!e && !jscan_next_member(&s, &m)) {
        items = canon_grow(a, items, n, &max, sizeof(*items));
        if (!items)
            return ERR_MEMORY;
        items[n++] = m;
    }
    *out = items;
    *out_n = n;
    return e;
}

/* {"maxOutputTokens":N}, beside what the client's own configuration holds. */
static enum err inject_output_max(struct splicer *s, const struct gemini_request *own, int64_t max,
                                  struct arena *a)
{
    const char *name = own->config_name ? own->config_name : CONFIG;
    char *number = arena_printf(a, "%" PRId64, max), *made;
    struct slice old, merged;
    struct jmember *members;
    struct splice pieces;
    struct splicer inner;
    size_t n;
    enum err e;

    if (!number)
        return ERR_MEMORY;
    if (!own->config_name || splicer_find(s, name, &old)) {
        made = arena_printf(a, "{\"" CONFIG_MAX "\":%s}", number);
        return made ? splicer_set(s, name, slice_of(made)) : ERR_MEMORY;
    }
    e = list_members((struct jvalue){JSCAN_OBJECT, old}, a, &members, &n);
    if (!e)
        e = splicer_init(&inner, a, old, members, n, 1);
    if (!e) /* a null in the other spelling would be the same field once more */
        e = splicer_edit(&inner, &(struct member_edit){MEMBER_REMOVE, "max_output_tokens", NULL});
    if (!e)
        e = splicer_set(&inner, CONFIG_MAX, slice_of(number));
    if (!e)
        e = splicer_finish(&inner, &pieces);
    if (!e)
        e = splice_join(&pieces, a, &merged);
    return e ? e : splicer_set(s, name, merged);
}

/* What stands in the place of an envelope: the signature when it was this vendor's, else the word
 * that Google takes for a lost one. */
static enum err append_signature(struct buf *b, struct slice text, const char *model,
                                 struct arena *a)
{
    struct slice standard;
    struct seal seal;
    enum err e;

    e = gemini_base64(a, text, &standard);
    if (!e)
        e = signature_open(a, standard, VENDOR_NONE, &seal);
    if (e)
        return e;
    if (seal.vendor == VENDOR_GEMINI && slice_eq_z(seal.model, model))
        return jscan_escape_inside(b, seal.payload);
    return buf_append_z(b, GEMINI_NO_SIGNATURE);
}

/* "models/M" within a body. */
static enum err append_model(struct buf *b, const char *model)
{
    bool is_whole = slice_starts(slice_of(model), MODELS) ||
                    slice_starts(slice_of(model), TUNED_MODELS);
    enum err e = is_whole ? ERR_OK : buf_append_z(b, MODELS);

    return e ? e : jscan_escape_inside(b, slice_of(model));
}

static enum err append_input(struct buf *b, const struct gemini_request *own,
                             const struct format_target *t, struct arena *a)
{
    const char *at = own->input.p, *end = at + own->input.n;
    enum err e = ERR_OK;
    size_t i;

    for (i = 0; i < own->cuts_n && !e; i++) {
        const struct gemini_cut *cut = &own->cuts[i];

        e = buf_append(b, at, (size_t)(cut->old.p - at));
        if (!e)
            e = cut->is_model ? append_model(b, t->upstream_model)
                              : append_signature(b, cut->old, t->upstream_model, a);
        at = cut->old.p + cut->old.n;
    }
    return e ? e : buf_append(b, at, (size_t)(end - at));
}

/* Takes out the signatures of other models that the answers carried, and the model's public name.
 */
static enum err replace_input(struct splicer *s, const struct gemini_request *own,
                              const struct format_target *t, struct arena *a)
{
    struct slice input = {NULL, 0};
    struct buf b;
    enum err e;

    if (own->cuts_n == 0)
        return ERR_OK;
    buf_init(&b, INPUT_MAX);
    e = append_input(&b, own, t, a);
    if (!e) {
        input = (struct slice){arena_copy(a, buf_slice(&b)), b.n};
        e = input.p ? ERR_OK : ERR_MEMORY;
    }
    buf_clear(&b);
    if (!e)
        splicer_replace(s, own->input_name, input);
    return e;
}

/* "generationConfig" as "generation_config". False: it is the same in both spellings. */
static bool spell_snake(const char *name, char dst[NAME_MAX_SIZE])
{
    bool is_other = false;
    size_t n = 0;

    for (; *name; name++) {
        bool is_upper = *name >= 'A' && *name <= 'Z';

        if (n + 3 > NAME_MAX_SIZE)
            return false;
        if (is_upper)
            dst[n++] = '_';
        dst[n++] = is_upper ? (char)(*name + ('a' - 'A')) : *name;
        is_other |= is_upper;
    }
    dst[n] = '\0';
    return is_other;
}

/* The client's spelling gives way to the edit's, so that the field is there once. */
static enum err edit_member(struct splicer *s, const struct member_edit *edit, struct arena *a)
{
    char snake[NAME_MAX_SIZE], *name;
    enum err e = ERR_OK;

    if (spell_snake(edit->member, snake)) {
        name = arena_copy(a, slice_of(snake));
        if (!name)
            return ERR_MEMORY;
        e = splicer_edit(s, &(struct member_edit){MEMBER_RENAME, name, edit->member});
    }
    return e ? e : splicer_edit(s, edit);
}

static enum err write_request(const struct format_request *r, const struct format_target *t,
                              struct arena *a, struct splice *out)
{
    const struct gemini_request *own = r->own;
    struct splicer s;
    enum err e;
    size_t i;

    e = splicer_init(&s, a, r->body, r->members, r->members_n, t->edits_n + EDITS_OWN);
    if (!e) /* the path names the model */
        e = splicer_edit(&s, &(struct member_edit){MEMBER_REMOVE, MODEL_FIELD, NULL});
    if (!e && t->output_max_inject >= 0 && r->output_max < 0)
        e = inject_output_max(&s, own, t->output_max_inject, a);
    if (!e)
        e = replace_input(&s, own, t, a);
    for (i = 0; i < t->edits_n && !e; i++)
        e = edit_member(&s, &t->edits[i], a);
    return e ? e : splicer_finish(&s, out);
}

/* ---- path and headers ---- */

static const char *path(struct arena *a, const char *upstream_model,
                        const struct format_request *in)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    static const char hex[] = "0123456789ABCDEF";
    struct slice model = slice_of(upstream_model);
    bool is_whole = slice_starts(model, MODELS) || slice_starts(model, TUNED_MODELS);
    const char *verb = in->verb        ? in->verb
                       : in->is_stream ? "streamGenerateContent?alt=sse"
                                       : "generateContent";
    char *name = arena_alloc(a, model.n * 3 + 1), *to = name;
    size_t i;

    if (!name)
        return NULL;
    for (i = 0; i < model.n; i++) {
        unsigned char c = (unsigned char)model.p[i];

        if (strchr(plain, c)) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '%';
        *to++ = hex[c >> 4];
        *to++ = hex[c & 15];
    }
    return arena_printf(a, "/%s%s:%s", is_whole ? "" : MODELS, name, verb);
}

static const char *auth_header(struct arena *a, const char *secret)
{
    return arena_printf(a, "x-goog-api-key: %s", secret);
}

static const char *const no_headers[] = {NULL};

const struct format format_gemini = {
    .name = "gemini",
    .vendor = VENDOR_GEMINI,
    .reader = {gemini_read_event,  gemini_read_end, gemini_read_whole, gemini_read_error},
    .forwarded_headers = no_headers,
    .default_headers = no_headers,
    .read_request = read_request,
    .path = path,
    .write_request = write_request,
    .auth_header = auth_header,
    .write_stream_error = gemini_write_stream_error,
 /* A comment breaks Gemini CLI. A bare line end is nothing to events and to JSON. */
    .ping = {"\n", 1               },
    .decode_request = gemini_decode_request,
    .encode_request = gemini_encode_request,
    .needs_bytes = gemini_needs_bytes,
    .decode_begin = gemini_decode_begin,
    .decode_event = gemini_decode_event,
    .decode_end = gemini_decode_end,
    .decode_whole = gemini_decode_whole,
    .encode_begin = gemini_encode_begin,
    .encode_event = gemini_encode_event,
    .encode_end = gemini_encode_end,
};
