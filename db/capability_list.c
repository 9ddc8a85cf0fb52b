#include "db/capability_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const struct catalog_capability capability_list_default = {
    .pattern = "",
    .thinking = CAPABILITY_THINKING_EFFORT,
    .efforts = CAPABILITY_EFFORT_LOW | CAPABILITY_EFFORT_MEDIUM | CAPABILITY_EFFORT_HIGH,
    .sampling = true,
    .tools = true,
    .forced_tools = true,
    .structured_output = true,
    .max_tokens_name = "max_tokens",
    .schema_keyword = "parametersJsonSchema",
    .input_modalities = CAPABILITY_TEXT | CAPABILITY_IMAGE | CAPABILITY_FILE,
    .output_modalities = CAPABILITY_TEXT,
};

static const char *const thinking_names[] = {"none", "effort", "adaptive", "budget", "level"};
static const char *const effort_names[] = {"none", "minimal", "low", "medium",
                                           "high", "xhigh",   "max"};
static const char *const modality_names[] = {"text", "image", "audio", "file", "video"};

/* ---- words ---- */

const char *capability_thinking_name(enum capability_thinking thinking)
{
    return thinking_names[thinking];
}

static enum capability_thinking thinking_of(struct slice word)
{
    for (unsigned i = 0; i < COUNT(thinking_names); i++) {
        if (slice_eq_z(word, thinking_names[i]))
            return i;
    }
    return capability_list_default.thinking;
}

static unsigned parse_set(struct slice words, const char *const *names, size_t n)
{
    unsigned bits = 0;
    while (words.n) {
        struct slice word = slice_split(&words, ',');
        for (size_t i = 0; i < n; i++) {
            if (slice_eq_z(word, names[i]))
                bits |= 1U << i;
        }
    }
    return bits;
}

static char *print_set(char *dst, unsigned bits, const char *const *names, size_t n)
{
    size_t at = 0;
    dst[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (bits & 1U << i)
            at += (size_t)snprintf(dst + at, CAPABILITY_SET_SIZE - at, "%s%s", at ? "," : "",
                                   names[i]);
    }
    return dst;
}

char *capability_print_efforts(char *dst, unsigned efforts)
{
    return print_set(dst, efforts, effort_names, COUNT(effort_names));
}

char *capability_print_modalities(char *dst, unsigned modalities)
{
    return print_set(dst, modalities, modality_names, COUNT(modality_names));
}

/* ---- reading ---- */

static const char sql_capabilities[] =
    "SELECT pattern, context_tokens, output_tokens_max, thinking, efforts, thinking_budget_min,"
    " thinking_budget_max, thinking_always, between_tools, sampling, tools, forced_tools,"
    " custom_tools, prefill, structured_output, system_turns, reasoning_content, max_tokens_name,"
    " schema_keyword, input_modalities, output_modalities FROM model_capabilities";

static bool has_wildcard(const char *pattern)
{
    return pattern[strcspn(pattern, "%_\\")] != '\0';
}

/* Names first, by name; then the longest pattern, so that the first that matches counts. */
static int compare_rows(const void *x, const void *y)
{
    const char *a = ((const struct catalog_capability *)x)->pattern,
               *b = ((const struct catalog_capability *)y)->pattern;
    bool a_wild = has_wildcard(a), b_wild = has_wildcard(b);
    if (a_wild != b_wild)
        return a_wild - b_wild;
    size_t a_n = strlen(a), b_n = strlen(b);
    if (a_wild && a_n != b_n)
        return a_n < b_n ? 1 : -1;
    return strcmp(a, b);
}

static void take_row(const struct db_stmt *s, struct catalog_capability *c)
{
    c->context_tokens = db_col_i64(s, 1);
    c->output_tokens_max = db_col_i64(s, 2);
    c->thinking = thinking_of(db_col_text(s, 3));
    c->efforts = parse_set(db_col_text(s, 4), effort_names, COUNT(effort_names));
    c->thinking_budget_min = db_col_i64(s, 5);
    c->thinking_budget_max = db_col_i64(s, 6);
    bool *const flags[] = {
        &c->thinking_always, &c->between_tools,    &c->sampling, &c->tools,
        &c->forced_tools,    &c->custom_tools,     &c->prefill,  &c->structured_output,
        &c->system_turns,    &c->reasoning_content};
    for (size_t i = 0; i < COUNT(flags); i++)
        *flags[i] = db_col_i64(s, 7 + i) != 0;
    c->max_tokens_name = slice_eq_z(db_col_text(s, 17), "max_completion_tokens")
                             ? "max_completion_tokens"
                             : "max_tokens";
    c->schema_keyword = slice_eq_z(db_col_text(s, 18), "parameters") ? "parameters"
                                                                     : "parametersJsonSchema";
    c->input_modalities = parse_set(db_col_text(s, 19), modality_names, COUNT(modality_names));
    c->output_modalities = parse_set(db_col_text(s, 20), modality_names, COUNT(modality_names));
}

enum err capability_read(struct db_conn *c, struct arena *arena, struct capability_list *out)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_capabilities, NULL, 0, &s);
    if (e)
        return e;
    size_t n = 0, names_n = 0;
    struct catalog_capability *rows = arena_alloc(arena, (db_changed(c) + 1) * sizeof(*rows));
    if (!rows)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        rows[n].pattern = arena_copy(arena, db_col_text(s, 0));
        if (!rows[n].pattern)
            return ERR_MEMORY;
        names_n += !has_wildcard(rows[n].pattern);
        take_row(s, &rows[n++]);
    }
    if (e != ERR_END)
        return e;
    qsort(rows, n, sizeof(*rows), compare_rows);
    *out = (struct capability_list){rows, names_n, n};
    return ERR_OK;
}

/* ---- finding ---- */

bool capability_like(const char *pattern, const char *text)
{
    const char *star = NULL, *again = NULL; /* after the last %, and what it was tried at */
    for (;;) {
        if (*pattern == '%') {
            star = ++pattern;
            again = text;
            continue;
        }
        bool is_any = *pattern == '_';
        const char *literal = *pattern == '\\' && pattern[1] ? pattern + 1 : pattern;
        if (!*text && !*pattern)
            return true;
        if (*text && *pattern && (is_any || *literal == *text)) {
            pattern = literal + 1;
            text++;
            continue;
        }
        if (!star || !*again)
            return false;
        pattern = star;
        text = ++again;
    }
}

static int compare_name(const void *name, const void *row)
{
    return strcmp(name, ((const struct catalog_capability *)row)->pattern);
}

static const struct catalog_capability *find_one(const struct capability_list *list,
                                                 const char *name)
{
    const struct catalog_capability *found =
        list->names_n ? bsearch(name, list->rows, list->names_n, sizeof(*list->rows), compare_name)
                      : NULL;
    /* A name may hold what is a wildcard in a pattern. */
    for (size_t i = list->names_n; !found && i < list->n; i++) {
        if (!strcmp(list->rows[i].pattern, name))
            found = &list->rows[i];
    }
    for (size_t i = list->names_n; !found && i < list->n; i++) {
        if (capability_like(list->rows[i].pattern, name))
            found = &list->rows[i];
    }
    return found;
}

const struct catalog_capability *capability_find(const struct capability_list *list,
                                                 const char *upstream_name, const char *public_name)
{
    const struct catalog_capability *found = find_one(list, upstream_name);
    if (!found)
        found = find_one(list, public_name);
    return found ? found : &capability_list_default;
}
