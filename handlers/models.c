#include "handlers/models.h"

#include "base/json.h"
#include "db/catalog.h"
#include "fcgi/response.h"
#include "handlers/admit.h"
#include "handlers/relay.h"

/* Enabled, priced, on an enabled channel, and on the key's list. */
static bool is_usable(const struct request *req, const struct catalog_model *m)
{
    return m->routes_n > 0 && key_may_use(admit_key(req), m->id);
}

static struct json_object *model_json(const struct catalog_model *m)
{
    struct json_object *o = json_object_new_object();
    if (o == NULL || json_add_string(o, "id", m->name) != ERR_OK ||
        json_add_string(o, "object", "model") != ERR_OK ||
        json_add_i64(o, "created", m->created_s) != ERR_OK ||
        json_add_string(o, "owned_by", m->owned_by) != ERR_OK) {
        json_object_put(o);
        return NULL;
    }
    return o;
}

static void respond(struct request *req, struct json_object *body)
{
    if (body == NULL) {
        request_fail(req, ERR_MEMORY, NULL, NULL);
        return;
    }
    enum err e = response_json(req, 200, body);
    (void)e; /* a client that is gone does not get it */
}

static struct json_object *list_json(const struct request *req, const struct catalog *c)
{
    struct json_object *list = json_object_new_object();
    struct json_object *data = json_object_new_array();
    if (list == NULL || data == NULL || json_add_string(list, "object", "list") != ERR_OK) {
        json_object_put(data);
        json_object_put(list);
        return NULL;
    }
    bool ok = json_add_take(list, "data", data) == ERR_OK;
    for (size_t i = 0; ok && i < c->models_n; i++) {
        if (!is_usable(req, &c->models[i]))
            continue;
        struct json_object *o = model_json(&c->models[i]);
        ok = o != NULL && json_object_array_add(data, o) == 0;
    }
    if (!ok) {
        json_object_put(list);
        return NULL;
    }
    return list;
}

void models_list(struct request *req)
{
    const struct catalog *c;
    if (relay_read_catalog(req, &c) == ERR_OK)
        respond(req, list_json(req, c));
}

void models_get(struct request *req)
{
    const struct catalog *c;
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
    respond(req, model_json(m));
}
