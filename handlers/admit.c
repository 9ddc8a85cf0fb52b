#include "handlers/admit.h"

#include "base/log.h"
#include "fcgi/response.h"
#include "handlers/app.h"

#include <assert.h>

#define BEARER "Bearer "

const struct app *app_of(const struct request *req)
{
    return (const struct app *)req->app;
}

const struct key *admit_key(const struct request *req)
{
    assert(req->auth != NULL);
    return ((const struct admission *)req->auth)->key;
}

/* The n-th place where a key may stand; p NULL when nothing stands there. */
static struct slice key_at(const struct request *req, int place)
{
    struct slice s;
    switch (place) {
    case 0:
        s = slice_trim(request_header(req, "authorization"));
        if (!slice_starts_ci(s, BEARER))
            return (struct slice){NULL, 0};
        s.p += sizeof(BEARER) - 1;
        s.n -= sizeof(BEARER) - 1;
        return slice_trim(s);
    case 1:
        return slice_trim(request_header(req, "x-api-key"));
    case 2:
        return slice_trim(request_header(req, "x-goog-api-key"));
    default:
        return request_query_param(req, "key");
    }
}

static void release_key(void *key)
{
    key_release(key);
}

static enum err keep_key(struct request *req, const struct key *key)
{
    struct admission *adm = arena_alloc(req->arena, sizeof(*adm));
    if (adm == NULL) {
        key_release(key);
        return request_fail(req, ERR_MEMORY, NULL, NULL);
    }
    adm->key = key;
    /* arena_defer takes void *; the key stays const for everybody else. */
    enum err e = arena_defer(req->arena, release_key, (void *)(uintptr_t)key);
    if (e != ERR_OK) {
        key_release(key);
        return request_fail(req, e, NULL, NULL);
    }
    req->auth = adm;
    return ERR_OK;
}

/* The key is one of ours; takes it. */
static enum err admit_from(struct request *req, const struct key *key)
{
    if (key_may_come_from(key, request_remote_addr(req)))
        return keep_key(req, key);
    key_release(key);
    return request_fail(req, ERR_FORBIDDEN, NULL,
                        "This API key may not be used from your address.");
}

enum err admit_authenticate(struct request *req)
{
    const struct app *app = app_of(req);
    bool any = false;
    for (int place = 0; place < 4; place++) {
        struct slice text = key_at(req, place);
        if (text.n == 0)
            continue;
        any = true;
        const struct key *key = NULL;
        enum err e = key_acquire(app->keys, text, &key);
        if (e == ERR_OK)
            return admit_from(req, key);
        if (e != ERR_BAD_KEY)
            return request_fail(req, e, NULL, NULL);
    }
    if (!any)
        return request_fail(req, ERR_BAD_KEY, NULL,
                            "No API key was sent. Put it in the Authorization header: "
                            "\"Authorization: Bearer YOUR_API_KEY\".");
    return request_fail(req, ERR_BAD_KEY, NULL, NULL);
}
