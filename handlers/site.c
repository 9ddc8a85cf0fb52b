#include "handlers/site.h"

#include "base/json.h"
#include "db/catalog.h"
#include "fcgi/response.h"
#include "handlers/app.h"

/* A member that is null where nothing is set. */
static enum err add_text(struct json_object *o, const char *name, const char *text)
{
    return text ? json_add_string(o, name, text) : json_add_take(o, name, NULL);
}

static bool fill(struct json_object *o, const struct site *site)
{
    struct json_object *support = json_object_new_object();
    return support != NULL && json_add_take(o, "support", support) == ERR_OK &&
           json_add_string(o, "object", "site") == ERR_OK &&
           json_add_string(o, "version", AIPASS_VERSION) == ERR_OK &&
           add_text(support, "email", site->support_email) == ERR_OK &&
           add_text(support, "url", site->support_url) == ERR_OK;
}

void site_get(struct request *req)
{
    const struct catalog *c = NULL;
    struct json_object *o = NULL;
    enum err e = catalog_acquire(app_of(req)->catalogs, &c);
    if (e == ERR_OK) {
        o = json_object_new_object();
        if (o == NULL || !fill(o, &c->site))
            e = ERR_MEMORY;
        catalog_release(app_of(req)->catalogs, c);
    }
    if (e == ERR_OK) {
        e = response_json(req, 200, o);
    } else {
        json_object_put(o);
        request_fail(req, e, NULL, NULL);
    }
    (void)e; /* a client that is gone does not get it */
}
