#include "db/price_list.h"

#include "base/str.h"

#include <string.h>

#define ABOVE "above_"

static const char *const scope_names[] = {
    [PRICE_FOR_MODEL] = "model",
    [PRICE_FOR_GROUP] = "group",
    [PRICE_FOR_ACCOUNT] = "account",
    [PRICE_FOR_CHANNEL] = "channel",
};

static const char *const service_names[SERVICES] = {
    [SERVICE_ORDINARY] = "",
    [SERVICE_FLEX] = "flex",
    [SERVICE_PRIORITY] = "priority",
    [SERVICE_BATCH] = "batch",
};

enum err price_scope_parse(const char *name, enum price_scope *out)
{
    for (unsigned i = 0; i < sizeof(scope_names) / sizeof(scope_names[0]); i++) {
        if (!strcmp(name, scope_names[i])) {
            *out = i;
            return ERR_OK;
        }
    }
    return ERR_FORMAT;
}

enum price_service price_service_parse(const char *name)
{
    for (unsigned i = SERVICE_FLEX; i < SERVICES; i++) {
        if (!strcmp(name, service_names[i]))
            return i;
    }
    return SERVICE_ORDINARY;
}

/* The service tier that text begins with; *rest: what follows it and its underscore. */
static enum price_service take_service(const char *text, const char **rest)
{
    for (unsigned i = SERVICE_FLEX; i < SERVICES; i++) {
        size_t n = strlen(service_names[i]);
        if (strncmp(text, service_names[i], n) || (text[n] && text[n] != '_'))
            continue;
        *rest = text + n + (text[n] == '_' && text[n + 1]);
        return i;
    }
    *rest = text;
    return SERVICE_ORDINARY;
}

enum err price_qualifier_parse(const char *text, enum price_service *service, int64_t *above)
{
    const char *rest;
    int64_t tokens = 0;
    enum price_service s = take_service(text, &rest);
    if (*rest) {
        if (strncmp(rest, ABOVE, sizeof(ABOVE) - 1) ||
            slice_to_i64(slice_of(rest + sizeof(ABOVE) - 1), &tokens) || tokens <= 0)
            return ERR_FORMAT;
    }
    *service = s;
    *above = tokens;
    return ERR_OK;
}

static void add_list(struct price_choice *c, const struct price_book *book, enum price_scope scope,
                     int64_t id)
{
    size_t low = 0, high = book->lists_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct price_list *l = &book->lists[middle];
        if (l->scope == scope && l->scope_id == id) {
            c->lists[c->n++] = l;
            return;
        }
        if (l->scope < scope || (l->scope == scope && l->scope_id < id))
            low = middle + 1;
        else
            high = middle;
    }
}

struct price_choice price_choose(const struct price_book *book, int64_t group_id,
                                 int64_t account_id)
{
    struct price_choice c = {.n = 0};
    add_list(&c, book, PRICE_FOR_ACCOUNT, account_id);
    add_list(&c, book, PRICE_FOR_GROUP, group_id);
    add_list(&c, book, PRICE_FOR_MODEL, 0);
    return c;
}

struct price_choice price_choose_channel(const struct price_book *book, int64_t channel_id)
{
    struct price_choice c = {.n = 0};
    add_list(&c, book, PRICE_FOR_CHANNEL, channel_id);
    return c;
}

/* Whether a is the better match of two that both apply. */
static bool is_closer(const struct price_row *a, const struct price_row *b)
{
    if (a->above != b->above)
        return a->above > b->above;
    return a->service != SERVICE_ORDINARY && b->service == SERVICE_ORDINARY;
}

/* The row of a list for a unit; NULL when none applies. */
static const struct price_row *find_row(const struct price_list *l, enum price_unit unit,
                                        enum price_service service, int64_t input)
{
    const struct price_row *found = NULL;
    for (size_t i = 0; i < l->rows_n; i++) {
        const struct price_row *r = &l->rows[i];
        if (r->unit != unit || (r->service != SERVICE_ORDINARY && r->service != service) ||
            (r->above && input <= r->above))
            continue;
        if (!found || is_closer(r, found))
            found = r;
    }
    return found;
}

void price_pick(const struct price_choice *c, enum price_service service, int64_t input,
                struct price *out)
{
    price_clear(out);
    for (unsigned u = 0; u < PRICE_UNITS; u++) {
        const struct price_row *row = NULL;
        for (size_t i = 0; i < c->n && !row; i++)
            row = find_row(c->lists[i], u, service, input);
        if (!row)
            continue;
        out->amount_nusd[u] = row->amount_nusd;
        out->id[u] = row->id;
    }
}

static void add_services(const struct price_choice *c, int64_t input, struct price *out)
{
    for (unsigned s = 0; s < SERVICES; s++) {
        struct price p;
        price_pick(c, s, input, &p);
        pricing_dearest(out, &p);
    }
}

void price_pick_dearest(const struct price_choice *c, int64_t input_max, struct price *out)
{
    price_clear(out);
    add_services(c, 0, out);
    /* What is charged changes only where a threshold is exceeded. */
    for (size_t i = 0; i < c->n; i++) {
        for (size_t k = 0; k < c->lists[i]->rows_n; k++) {
            int64_t above = c->lists[i]->rows[k].above;
            if (above && above < input_max)
                add_services(c, above + 1, out);
        }
    }
}
