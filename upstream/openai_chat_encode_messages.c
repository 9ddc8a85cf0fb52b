#include "upstream/openai_chat_encode.h"

#include "base/jscan.h"
#include "upstream/capability.h"

#define PARAGRAPH     SLICE("\n\n")
#define ERROR_PREFIX  SLICE("Error: ")
#define IMAGES_OF     SLICE("Result images of call ")
#define IMAGES_FOLLOW SLICE("The result is in the next message.")

/* ---- texts ---- */

static bool is_text(const struct part *p)
{
    return p->kind == PART_TEXT || p->kind == PART_REFUSAL;
}

/* The texts of one kind, joined into the open string. *n counts the texts before. */
static void join_texts(struct jwrite *w, const struct part *parts, size_t parts_n,
                       struct slice between, size_t *n)
{
    size_t i;

    for (i = 0; i < parts_n; i++) {
        if (!is_text(&parts[i]) || parts[i].text.n == 0)
            continue;
        if ((*n)++)
            jwrite_text(w, between);
        jwrite_text(w, parts[i].text);
    }
}

static void note_cache_marks(struct chat_encode *x, const struct turn *t)
{
    size_t i;

    for (i = 0; i < t->parts_n; i++)
        if (t->parts[i].cache != CACHE_NONE)
            canon_drop(x->canon, &x->plan->drops, FIELD_CACHE);
}

static void begin_message(struct chat_encode *x, const char *role, struct slice name)
{
    jwrite_object(&x->w);
    jwrite_key_z(&x->w, "role", role);
    if (name.n)
        jwrite_key_string(&x->w, "name", name);
}

static void write_line(struct chat_encode *x, struct slice line)
{
    begin_message(x, "system", (struct slice){NULL, 0});
    jwrite_key_string(&x->w, "content", line);
    jwrite_object_end(&x->w);
}

/* ---- system ---- */

static enum err check_system(struct chat_encode *x, const struct turn *t)
{
    size_t i;

    for (i = 0; i < t->parts_n; i++)
        if (!is_text(&t->parts[i]))
            return plan_fault(x->plan, t->parts[i].at,
                              "only text can stand in the system prompt of this model");
    note_cache_marks(x, t);
    return ERR_OK;
}

/* Turns [from, to) as one system message. Many models' templates know but one. */
static enum err write_system(struct chat_encode *x, size_t from, size_t to, struct slice line)
{
    struct jwrite *w = &x->w;
    size_t n = 0, i;
    enum err e;

    for (i = from; i < to; i++) {
        e = check_system(x, &x->canon->turns[i]);
        if (e)
            return e;
    }
    if (from == to && !line.p)
        return ERR_OK;
    begin_message(x, "system",
                  to - from == 1 ? x->canon->turns[from].name : (struct slice){NULL, 0});
    jwrite_key(w, "content");
    jwrite_string_begin(w);
    for (i = from; i < to; i++)
        join_texts(w, x->canon->turns[i].parts, x->canon->turns[i].parts_n, PARAGRAPH, &n);
    if (line.p) {
        if (n)
            jwrite_text(w, PARAGRAPH);
        jwrite_text(w, line);
    }
    jwrite_string_end(w);
    jwrite_object_end(w);
    return ERR_OK;
}

/* ---- user turns and results ---- */

static bool has_media(const struct part *parts, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (chat_is_media(&parts[i]))
            return true;
    return false;
}

static void write_result(struct chat_encode *x, const struct part *p)
{
    struct jwrite *w = &x->w;
    size_t n = 0;

    jwrite_object(w);
    jwrite_key_z(w, "role", "tool");
    jwrite_key_string(w, "tool_call_id", p->id);
    jwrite_key(w, "content");
    jwrite_string_begin(w);
    if (p->is_error)
        jwrite_text(w, ERROR_PREFIX);
    join_texts(w, p->parts, p->parts_n, PARAGRAPH, &n);
    if (n == 0 && has_media(p->parts, p->parts_n))
        jwrite_text(w, IMAGES_FOLLOW);
    jwrite_string_end(w);
    jwrite_object_end(w);
}

static void write_text_part(struct jwrite *w, struct slice text, struct slice more)
{
    jwrite_object(w);
    jwrite_key_z(w, "type", "text");
    jwrite_key(w, "text");
    jwrite_string_begin(w);
    jwrite_text(w, text);
    jwrite_text(w, more);
    jwrite_string_end(w);
    jwrite_object_end(w);
}

static enum err write_result_media(struct chat_encode *x, const struct part *result)
{
    enum err e = ERR_OK;
    size_t i;

    if (!has_media(result->parts, result->parts_n))
        return ERR_OK;
    write_text_part(&x->w, IMAGES_OF, result->id);
    for (i = 0; i < result->parts_n && !e; i++)
        if (chat_is_media(&result->parts[i]))
            e = chat_encode_media(x, &result->parts[i]);
    return e;
}

/* Messages of tools take text only: what else the results of turn t hold follows as the user's. */
static enum err write_results(struct chat_encode *x, const struct turn *t)
{
    bool is_media = false;
    enum err e = ERR_OK;
    size_t i;

    for (i = 0; i < t->parts_n; i++) {
        if (t->parts[i].kind != PART_RESULT)
            continue;
        write_result(x, &t->parts[i]);
        is_media |= has_media(t->parts[i].parts, t->parts[i].parts_n);
    }
    if (!is_media)
        return ERR_OK;
    begin_message(x, "user", (struct slice){NULL, 0});
    jwrite_key_array(&x->w, "content");
    for (i = 0; i < t->parts_n && !e; i++)
        if (t->parts[i].kind == PART_RESULT)
            e = write_result_media(x, &t->parts[i]);
    jwrite_array_end(&x->w);
    jwrite_object_end(&x->w);
    return e;
}

static enum err write_parts(struct chat_encode *x, const struct turn *t)
{
    enum err e = ERR_OK;
    size_t i;

    jwrite_array(&x->w);
    for (i = 0; i < t->parts_n && !e; i++) {
        if (is_text(&t->parts[i]))
            write_text_part(&x->w, t->parts[i].text, SLICE(""));
        else if (chat_is_media(&t->parts[i]))
            e = chat_encode_media(x, &t->parts[i]);
    }
    jwrite_array_end(&x->w);
    return e;
}

static enum err write_user(struct chat_encode *x, const struct turn *t)
{
    bool is_array = has_media(t->parts, t->parts_n), has_text = false;
    struct jwrite *w = &x->w;
    size_t n = 0, i;
    enum err e = write_results(x, t);

    note_cache_marks(x, t);
    for (i = 0; i < t->parts_n; i++)
        has_text |= is_text(&t->parts[i]);
    if (e || (!is_array && !has_text))
        return e;
    begin_message(x, "user", t->name);
    jwrite_key(w, "content");
    if (is_array) {
        e = write_parts(x, t);
    } else {
        jwrite_string_begin(w);
        join_texts(w, t->parts, t->parts_n, PARAGRAPH, &n);
        jwrite_string_end(w);
    }
    jwrite_object_end(w);
    return e;
}

/* ---- assistant turns ---- */

/* What an assistant turn is made of. */
struct census {
    size_t texts, refusals, calls, images, thoughts;
};

static enum err count_parts(struct chat_encode *x, const struct turn *t, struct census *n)
{
    size_t i;

    *n = (struct census){0};
    for (i = 0; i < t->parts_n; i++) {
        const struct part *p = &t->parts[i];

        n->texts += p->kind == PART_TEXT;
        n->refusals += p->kind == PART_REFUSAL;
        n->calls += p->kind == PART_CALL;
        n->images += p->kind == PART_IMAGE;
        n->thoughts += p->kind == PART_THINKING && p->text.n > 0;
        if (p->kind == PART_OPAQUE)
            drop(&x->plan->drops, p->at);
        else if (p->kind == PART_AUDIO || p->kind == PART_FILE ||
                 (p->kind == PART_IMAGE && !(x->capability->output & MODALITY_IMAGE)))
            return plan_fault(
                x->plan, p->at,
                "media in an answer of the assistant cannot be carried to this model");
    }
    return ERR_OK;
}

static void write_kind(struct chat_encode *x, const struct turn *t, enum part_kind kind)
{
    size_t i;

    jwrite_string_begin(&x->w);
    for (i = 0; i < t->parts_n; i++)
        if (t->parts[i].kind == kind)
            jwrite_text(&x->w, t->parts[i].text);
    jwrite_string_end(&x->w);
}

/* Text that came in pieces was one text. A refusal is its own member only at OpenAI. */
static void write_assistant_text(struct chat_encode *x, const struct turn *t,
                                 const struct census *count)
{
    struct jwrite *w = &x->w;
    size_t n = 0;

    jwrite_key(w, "content");
    if (x->is_openai && count->refusals) {
        if (count->texts)
            write_kind(x, t, PART_TEXT);
        else
            jwrite_null(w);
        jwrite_key(w, "refusal");
        write_kind(x, t, PART_REFUSAL);
    } else if (count->texts + count->refusals > 0) {
        jwrite_string_begin(w);
        join_texts(w, t->parts, t->parts_n, SLICE(""), &n);
        jwrite_string_end(w);
    } else {
        jwrite_null(w);
    }
}

/* Thinking models of some providers refuse calls without the thinking that led to them; an empty
 * text counts. */
static void write_thinking(struct chat_encode *x, const struct turn *t, const struct census *count)
{
    if (!x->capability->wants_reasoning || (count->thoughts == 0 && count->calls == 0))
        return;
    jwrite_key(&x->w, "reasoning_content");
    write_kind(x, t, PART_THINKING);
}

/* A custom tool's call where there are no such tools: as translate takes it apart again. */
static void write_emulated_input(struct chat_encode *x, struct slice input)
{
    struct jwrite *w = &x->w;
    struct buf quoted; /* a JSON text inside a JSON text: escaped twice */
    enum err e;

    buf_init(&quoted, SIZE_MAX / 2);
    e = jscan_escape(&quoted, input);
    if (e && !w->e)
        w->e = e;
    jwrite_string_begin(w);
    jwrite_text(w, SLICE("{\"input\":"));
    jwrite_text(w, buf_slice(&quoted));
    buf_clear(&quoted);
    jwrite_text(w, SLICE("}"));
    jwrite_string_end(w);
}

static void write_function(struct chat_encode *x, const struct part *p, struct slice name)
{
    struct jwrite *w = &x->w;

    jwrite_key_z(w, "type", "function");
    jwrite_key_object(w, "function");
    jwrite_key_string(w, "name", name);
    jwrite_key(w, "arguments");
    if (p->is_custom)
        write_emulated_input(x, p->text);
    else
        jwrite_string(w, p->text.n ? p->text : SLICE("{}"));
    jwrite_object_end(w);
}

static void write_custom(struct chat_encode *x, const struct part *p, struct slice name)
{
    struct jwrite *w = &x->w;

    jwrite_key_z(w, "type", "custom");
    jwrite_key_object(w, "custom");
    jwrite_key_string(w, "name", name);
    jwrite_key_string(w, "input", p->text.n ? p->text : SLICE(""));
    jwrite_object_end(w);
}

static enum err write_call(struct chat_encode *x, const struct part *p)
{
    struct slice name = chat_encode_name(x, p->name);
    struct jwrite *w = &x->w;

    if (!name.n)
        return ERR_MEMORY;
    jwrite_object(w);
    jwrite_key_string(w, "id", p->id);
    if (p->is_custom && x->capability->has_custom_tools) {
        write_custom(x, p, name);
    } else {
        if (p->is_custom)
            tool_names_mark_custom(&x->plan->names, p->name);
        write_function(x, p, name);
    }
    if (p->seal.vendor != VENDOR_NONE && p->seal.payload.n) {
        jwrite_key_object(w, "extra_content");
        jwrite_key_object(w, "google");
        jwrite_key_string(w, "thought_signature", p->seal.payload);
        jwrite_object_end(w);
        jwrite_object_end(w);
    }
    jwrite_object_end(w);
    return ERR_OK;
}

static enum err write_lists(struct chat_encode *x, const struct turn *t, const struct census *count)
{
    enum err e = ERR_OK;
    size_t i;

    if (count->images) {
        jwrite_key_array(&x->w, "images");
        for (i = 0; i < t->parts_n && !e; i++)
            if (t->parts[i].kind == PART_IMAGE)
                e = chat_encode_image(x, &t->parts[i]);
        jwrite_array_end(&x->w);
    }
    if (count->calls) {
        jwrite_key_array(&x->w, "tool_calls");
        for (i = 0; i < t->parts_n && !e; i++)
            if (t->parts[i].kind == PART_CALL)
                e = write_call(x, &t->parts[i]);
        jwrite_array_end(&x->w);
    }
    return e;
}

static enum err write_assistant(struct chat_encode *x, const struct turn *t)
{
    struct census count;
    enum err e = count_parts(x, t, &count);

    note_cache_marks(x, t);
    if (e || count.texts + count.refusals + count.calls + count.images == 0)
        return e;
    begin_message(x, "assistant", t->name);
    write_assistant_text(x, t, &count);
    write_thinking(x, t, &count);
    e = write_lists(x, t, &count);
    jwrite_object_end(&x->w);
    return e;
}

/* ---- all of them ---- */

static enum err check_end(struct chat_encode *x)
{
    const struct canon *c = x->canon;
    const struct turn *last = c->turns_n ? &c->turns[c->turns_n - 1] : NULL;

    if (!last)
        return plan_fault(x->plan, "messages", "there is nothing to answer");
    if (last->role == CANON_ASSISTANT && !x->capability->has_prefill)
        return plan_fault(x->plan, last->at, "assistant prefill is not supported by this model");
    return ERR_OK;
}

enum err chat_encode_messages(struct chat_encode *x)
{
    const struct canon *c = x->canon;
    size_t system_n = 0, i;
    enum err e = check_end(x);

    if (e)
        return e;
    while (system_n < c->turns_n && c->turns[system_n].role == CANON_SYSTEM)
        system_n++;
    jwrite_key_array(&x->w, "messages");
    e = write_system(x, 0, system_n, x->first_line);
    for (i = system_n; i < c->turns_n && !e; i++) {
        if (c->turns[i].role == CANON_SYSTEM)
            e = write_system(x, i, i + 1, (struct slice){NULL, 0});
        else if (c->turns[i].role == CANON_USER)
            e = write_user(x, &c->turns[i]);
        else
            e = write_assistant(x, &c->turns[i]);
    }
    if (x->last_line.p)
        write_line(x, x->last_line);
    jwrite_array_end(&x->w);
    return e;
}
