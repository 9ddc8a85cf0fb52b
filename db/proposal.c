#include "db/proposal.h"

#include "base/amount.h"
#include "db/capability_list.h"
#include "db/proposal_row.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)64 << 20)

/* What is in force, and where the differences go. */
struct comparison {
    struct proposal *out;
    struct arena *arena;
    struct db_conn *conn;
    bool is_applied; /* the rows are written, too */
    struct capability_list capabilities;
    struct proposal_model *models; /* by name */
    size_t models_n;
    struct proposal_price *prices; /* by model, unit, qualifier */
    size_t prices_n;
};

/* ---- what is in force ---- */

static const char sql_models[] =
    "SELECT id, name, context_tokens, output_tokens_max FROM models ORDER BY name";

static enum err read_models(struct comparison *c)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c->conn, sql_models, NULL, 0, &s);
    if (e)
        return e;
    c->models = arena_alloc(c->arena, (db_changed(c->conn) + 1) * sizeof(*c->models));
    if (!c->models)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        struct proposal_model *m = &c->models[c->models_n++];
        *m = (struct proposal_model){db_col_i64(s, 0), arena_copy(c->arena, db_col_text(s, 1)),
                                     db_col_i64(s, 2), db_col_i64(s, 3)};
        if (!m->name)
            return ERR_MEMORY;
    }
    return e == ERR_END ? ERR_OK : e;
}

static const char sql_prices[] =
    "SELECT p.model_id, p.unit, p.qualifier, p.amount FROM prices p"
    " WHERE p.scope = 'model' AND p.valid_from <= UTC_TIMESTAMP(3)"
    " AND NOT EXISTS (SELECT 1 FROM prices n WHERE n.model_id = p.model_id AND n.scope = 'model'"
    " AND n.unit = p.unit AND n.qualifier = p.qualifier AND n.valid_from > p.valid_from"
    " AND n.valid_from <= UTC_TIMESTAMP(3))";

static int compare_prices(const void *x, const void *y)
{
    const struct proposal_price *a = x, *b = y;
    if (a->model_id != b->model_id)
        return a->model_id < b->model_id ? -1 : 1;
    int order = strcmp(a->unit, b->unit);
    return order ? order : strcmp(a->qualifier, b->qualifier);
}

static enum err read_prices(struct comparison *c)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c->conn, sql_prices, NULL, 0, &s);
    if (e)
        return e;
    c->prices = arena_alloc(c->arena, (db_changed(c->conn) + 1) * sizeof(*c->prices));
    if (!c->prices)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        struct proposal_price *p = &c->prices[c->prices_n++];
        *p = (struct proposal_price){db_col_i64(s, 0), arena_copy(c->arena, db_col_text(s, 1)),
                                     arena_copy(c->arena, db_col_text(s, 2)), db_col_nusd(s, 3)};
        if (!p->unit || !p->qualifier)
            return ERR_MEMORY;
    }
    if (e != ERR_END)
        return e;
    qsort(c->prices, c->prices_n, sizeof(*c->prices), compare_prices);
    return ERR_OK;
}

/* ---- what differs ---- */

static int compare_name(const void *name, const void *model)
{
    return strcmp(name, ((const struct proposal_model *)model)->name);
}

static enum err compare_model(struct comparison *c, const struct litellm_model *m,
                              const struct proposal_model *was)
{
    struct proposal *p = c->out;
    struct proposal_model now = {.name = m->name};
    now.context_tokens = m->context_tokens ? m->context_tokens : was ? was->context_tokens : 0;
    now.output_tokens_max = m->output_tokens_max ? m->output_tokens_max
                            : was                ? was->output_tokens_max
                                                 : 0;
    if (was && now.context_tokens == was->context_tokens &&
        now.output_tokens_max == was->output_tokens_max)
        return ERR_OK;
    *(was ? &p->models_changed : &p->models_added) += 1;
    enum err e = proposal_tell_model(&p->text, m, was, &now);
    if (!e && c->is_applied)
        e = was ? proposal_update_model(c->conn, &now)
                : proposal_insert_model(c->conn, m, &now, &p->options);
    return e;
}

/* A price that somebody should look at twice. */
static bool is_steep(int64_t was_nusd, int64_t now_nusd)
{
    return (was_nusd > 0) != (now_nusd > 0) || now_nusd / 2 > was_nusd || was_nusd / 2 > now_nusd;
}

static enum err compare_price(struct comparison *c, const struct litellm_model *m,
                              const struct proposal_model *model, const struct litellm_price *price)
{
    struct proposal *p = c->out;
    struct proposal_price now = {model ? model->id : 0, price_unit_name(price->unit),
                                 price->qualifier, 0};
    enum err e = amount_multiply(price->amount_nusd, p->options.margin_ppm, &now.amount_nusd);
    if (e)
        return e;
    const struct proposal_price *was =
        model ? bsearch(&now, c->prices, c->prices_n, sizeof(now), compare_prices) : NULL;
    if (was && was->amount_nusd == now.amount_nusd)
        return ERR_OK;
    bool steep = was ? is_steep(was->amount_nusd, now.amount_nusd) : !now.amount_nusd;
    *(was ? &p->prices_changed : &p->prices_added) += 1;
    p->steep += steep;
    e = proposal_tell_price(&p->text, m->name, was, &now, steep);
    if (!e && c->is_applied)
        e = proposal_insert_price(c->conn, m->name, &now, &p->options);
    return e;
}

static enum err compare_capability(struct comparison *c, const struct litellm_model *m)
{
    struct proposal *p = c->out;
    const struct catalog_capability *was = capability_find(&c->capabilities, m->name, m->name);
    struct catalog_capability now = *was;
    now.pattern = m->name;
    proposal_fit_capability(&now, m);
    bool differs = false;
    enum err e = proposal_tell_capability(&p->text, was, &now, &differs);
    if (e || !differs)
        return e;
    p->capabilities_changed++;
    return c->is_applied ? proposal_put_capability(c->conn, &now, &p->options) : ERR_OK;
}

static enum err compare_one(struct comparison *c, const struct litellm_model *m)
{
    const struct proposal_model *was =
        bsearch(m->name, c->models, c->models_n, sizeof(*c->models), compare_name);
    enum err e = compare_model(c, m, was);
    for (size_t i = 0; !e && i < m->prices_n; i++)
        e = compare_price(c, m, was, &m->prices[i]);
    return e || strcmp(m->kind, "chat") != 0 ? e : compare_capability(c, m);
}

/* Over a connection that is inside a transaction. */
static enum err compare_all(struct proposal *out, struct db_conn *conn, bool is_applied)
{
    struct comparison c = {
        .out = out, .arena = arena_new(ARENA_MAX), .conn = conn, .is_applied = is_applied};
    enum err e = c.arena ? read_models(&c) : ERR_MEMORY;
    if (!e)
        e = read_prices(&c);
    if (!e)
        e = capability_read(conn, c.arena, &c.capabilities);
    for (size_t i = 0; !e && i < out->table->models_n; i++) {
        e = compare_one(&c, &out->table->models[i]);
        if (out->options.on_model)
            out->options.on_model(out->options.arg, i + 1);
    }
    arena_free(c.arena);
    return e;
}

static void begin(struct proposal *p, const struct litellm_table *table,
                  const struct proposal_options *options)
{
    *p = (struct proposal){.table = table, .options = *options};
    buf_init(&p->text, PROPOSAL_TEXT_MAX);
}

enum err proposal_make(struct proposal *p, struct db *db, const struct litellm_table *table,
                       const struct proposal_options *options)
{
    struct db_conn *c = NULL;
    begin(p, table, options);
    enum err e = db_take(db, &c);
    if (!e)
        e = db_begin_snapshot(c);
    if (!e)
        e = compare_all(p, c, false);
    db_give(db, c);
    return e;
}

void proposal_clear(struct proposal *p)
{
    buf_clear(&p->text);
}

bool proposal_is_empty(const struct proposal *p)
{
    return !p->text.n;
}

/* What is written is what was shown: the comparison is made again, on the way to writing it. */
static enum err activate_fn(struct db_conn *c, void *arg)
{
    const struct proposal *shown = arg;
    struct proposal now;
    begin(&now, shown->table, &shown->options);
    enum err e = compare_all(&now, c, true);
    if (!e && !slice_eq(buf_slice(&now.text), buf_slice(&shown->text)))
        e = ERR_BUSY;
    proposal_clear(&now);
    return e == ERR_DB_DUPLICATE ? ERR_BUSY : e;
}

enum err proposal_activate(struct proposal *p, struct db *db)
{
    return db_transact(db, activate_fn, p);
}
