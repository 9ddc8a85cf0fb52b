#include "handlers/models.h"

#include "base/buf.h"
#include "fcgi/response.h"
#include "handlers/admit.h"
#include "handlers/asker.h"
#include "handlers/model_json.h"
#include "handlers/relay.h"

#define BODY_MAX       ((size_t)16 << 20)
#define PAGE_MAX       1000
#define ANTHROPIC_PAGE 20
#define GEMINI_PAGE    50

/* Which of the models that the key may use are on the page: from index first, at most n. */
struct page {
    const struct catalog *catalog;
    const struct request *req;
    size_t first, n;
    size_t last; /* out: behind the last one written */
    bool has_more;
};

/* Enabled, priced, on an enabled channel, and on the key's list. */
static bool is_usable(const struct request *req, const struct catalog_model *m)
{
    return m->routes_n > 0 && key_may_use(admit_key(req), m->id);
}

static void write_page(struct jwrite *w, struct page *p,
                       void (*write)(struct jwrite *, const struct catalog_model *,
                                     const struct key *))
{
    size_t written = 0;
    for (p->last = p->first; p->last < p->catalog->models_n; p->last++) {
        const struct catalog_model *m = &p->catalog->models[p->last];
        if (!is_usable(p->req, m))
            continue;
        if (written == p->n) {
            p->has_more = true;
            return;
        }
        write(w, m, admit_key(p->req));
        written++;
    }
}

/* A number from 1 to PAGE_MAX in the query; fallback when there is none. */
static size_t page_size(const struct request *req, const char *name, size_t fallback)
{
    int64_t n = 0;
    struct slice text = request_query_param(req, name);
    if (text.n == 0 || slice_to_i64(text, &n) != ERR_OK || n < 1)
        return fallback;
    return n > PAGE_MAX ? PAGE_MAX : (size_t)n;
}

/* Behind the model of that name; the list is sorted by name. */
static size_t behind(const struct catalog *c, struct slice name)
{
    size_t i = 0;
    while (name.n > 0 && i < c->models_n && !slice_eq_z(name, c->models[i].name))
        i++;
    return name.n > 0 && i < c->models_n ? i + 1 : 0;
}

static void list_openai(struct jwrite *w, struct page *p)
{
    p->n = SIZE_MAX;
    jwrite_object(w);
    jwrite_key_z(w, "object", "list");
    jwrite_key_array(w, "data");
    write_page(w, p, model_json_openai);
    jwrite_array_end(w);
    jwrite_object_end(w);
}

static const char *usable_name(const struct page *p, size_t from, size_t to, bool is_first)
{
    const char *name = NULL;
    for (size_t i = from; i < to && !(is_first && name != NULL); i++)
        if (is_usable(p->req, &p->catalog->models[i]))
            name = p->catalog->models[i].name;
    return name;
}

static void list_anthropic(struct jwrite *w, struct page *p)
{
    struct slice before = request_query_param(p->req, "before_id");
    p->n = page_size(p->req, "limit", ANTHROPIC_PAGE);
    p->first = behind(p->catalog, request_query_param(p->req, "after_id"));
    if (before.n > 0) { /* the page that ends before that one */
        size_t end = behind(p->catalog, before), n = p->n;
        for (p->first = end > 0 ? end - 1 : 0; p->first > 0 && n > 0; p->first--)
            n -= is_usable(p->req, &p->catalog->models[p->first - 1]);
    }
    jwrite_object(w);
    jwrite_key_array(w, "data");
    write_page(w, p, model_json_anthropic);
    jwrite_array_end(w);
    jwrite_key_bool(w, "has_more", p->has_more);
    jwrite_key_z(w, "first_id", usable_name(p, p->first, p->last, true));
    jwrite_key_z(w, "last_id", usable_name(p, p->first, p->last, false));
    jwrite_object_end(w);
}

static void list_gemini(struct jwrite *w, struct page *p)
{
    p->n = page_size(p->req, "pageSize", GEMINI_PAGE);
    p->first = behind(p->catalog, request_query_param(p->req, "pageToken"));
    jwrite_object(w);
    jwrite_key_array(w, "models");
    write_page(w, p, model_json_gemini);
    jwrite_array_end(w);
    if (p->has_more)
        jwrite_key_z(w, "nextPageToken", usable_name(p, p->first, p->last, false));
    jwrite_object_end(w);
}

static void respond(struct request *req, struct jwrite *w)
{
    enum err e = jwrite_end(w);
    if (e == ERR_OK)
        e = response_bytes(req, 200, "application/json", buf_slice(w->b));
    else
        request_fail(req, e, NULL, NULL);
    (void)e; /* a client that is gone does not get it */
    buf_clear(w->b);
}

void models_list(struct request *req)
{
    static void (*const lists[])(struct jwrite *, struct page *) = {
        [ASKER_OPENAI] = list_openai,
        [ASKER_ANTHROPIC] = list_anthropic,
        [ASKER_GEMINI] = list_gemini,
    };
    struct page page = {.req = req};
    struct buf b;
    struct jwrite w;
    if (relay_read_catalog(req, &page.catalog) != ERR_OK)
        return;
    buf_init(&b, BODY_MAX);
    jwrite_init(&w, &b);
    lists[asker_of(req)](&w, &page);
    respond(req, &w);
}

void models_get(struct request *req)
{
    static void (*const writers[])(struct jwrite *, const struct catalog_model *,
                                   const struct key *) = {
        [ASKER_OPENAI] = model_json_openai,
        [ASKER_ANTHROPIC] = model_json_anthropic,
        [ASKER_GEMINI] = model_json_gemini,
    };
    const struct catalog *c;
    struct buf b;
    struct jwrite w;
    if (relay_read_catalog(req, &c) != ERR_OK)
        return;
    struct slice id = req->params[0];
    const struct catalog_model *m = catalog_find_model(c, id);
    if (m == NULL || !is_usable(req, m)) {
        request_fail(req, ERR_NO_MODEL, "model",
                     "The model `%.*s` does not exist or you do not have access to it.",
                     SLICE_FMT(id));
        return;
    }
    buf_init(&b, BODY_MAX);
    jwrite_init(&w, &b);
    writers[asker_of(req)](&w, m, admit_key(req));
    respond(req, &w);
}
