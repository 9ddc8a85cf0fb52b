#include "handlers/respond.h"

#include "base/buf.h"
#include "base/log.h"
#include "db/objects.h"
#include "fcgi/response.h"
#include "handlers/admit.h"
#include "handlers/app.h"
#include "handlers/forward.h"
#include "handlers/relay.h"
#include "upstream/responses.h"

#define PATH_MAX_BYTES 4096

static enum err find_place(struct request *req, struct slice id, struct object_place *place)
{
    return object_find(app_of(req)->db, OBJECT_RESPONSE, id, admit_key(req)->account_id, place);
}

/* previous_response_id binds the request to the channel and key that made it. */
static enum err pin(struct request *req, const struct format_request *in, struct relay_pin *out)
{
    struct slice id = responses_previous_id(in);
    struct object_place place;
    if (id.n == 0)
        return ERR_OK;
    enum err e = find_place(req, id, &place);
    if (e == ERR_NOT_FOUND)
        return request_fail(req, ERR_BAD_REQUEST, "previous_response_id",
                            "Previous response with id '%.*s' not found.", SLICE_FMT(id));
    if (e != ERR_OK)
        return request_fail(req, ERR_UNAVAILABLE, NULL, NULL);
    *out = (struct relay_pin){place.channel_id, place.channel_key_id, "previous_response_id"};
    return ERR_OK;
}

/* Before the last bytes leave: the client may continue it at once. */
static void note(struct request *req, const struct reader *reader, const struct relay_pin *at)
{
    struct slice id = responses_answer_id(reader);
    struct object_place place = {admit_key(req)->account_id, at->channel_id, at->key_id};
    if (id.n == 0 || reader->translation != NULL || !responses_is_stored(reader->request))
        return;
    enum err e = object_put(app_of(req)->db, OBJECT_RESPONSE, id, &place);
    if (e != ERR_OK) /* it is answered all the same; continuing it will be refused */
        log_warn("response_not_noted", "error=%s", err_name(e));
}

void respond_create(struct request *req)
{
    relay_run(req, &(struct relay_spec){.format = &format_openai_responses,
                                        .call = {.body = req->body},
                                        .pin = pin,
                                        .note = note});
}

void respond_compact(struct request *req)
{
    relay_run(req, &(struct relay_spec){
                       .format = &format_openai_responses,
                       .call = {.body = req->body, .verb = "compact"},
                       .pin = pin
    });
}

void respond_upgrade(struct request *req)
{
    static const char body[] =
        "{\"error\":{\"message\":\"WebSockets are not served here; send POST /v1/responses.\","
        "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"upgrade_required\"}}";
    if (!slice_eq_ci(slice_trim(request_header(req, "upgrade")), "websocket")) {
        response_header_z(req, "allow", "POST, OPTIONS");
        request_fail(req, ERR_METHOD, NULL, "This path answers POST only.");
        return;
    }
    enum err e = response_bytes(req, 426, "application/json", SLICE(body));
    (void)e; /* a client that is gone does not get it */
}

/* What the client asks to be included; the rest of a query may hold a key of ours. */
static enum err add_query(const struct request *req, struct buf *path)
{
    struct slice rest = req->query;
    char before = '?';
    enum err e = ERR_OK;
    while (rest.n > 0 && e == ERR_OK) {
        struct slice one = slice_split(&rest, '&');
        if (!slice_starts(one, "include=") && !slice_starts(one, "include[]=") &&
            !slice_starts_ci(one, "include%5B%5D="))
            continue;
        e = buf_printf(path, "%c%.*s", before, SLICE_FMT(one));
        before = '&';
    }
    return e;
}

/* The provider's path of a stored response, in the arena; NULL when memory is out or it is too
 * long. */
static const char *stored_path(const struct request *req, struct slice id)
{
    struct buf path;
    const char *copy = NULL;
    buf_init(&path, PATH_MAX_BYTES);
    if (buf_printf(&path, "/responses/%.*s", SLICE_FMT(id)) == ERR_OK &&
        add_query(req, &path) == ERR_OK)
        copy = arena_copy(req->arena, buf_slice(&path));
    buf_clear(&path);
    return copy;
}

/* The stored response at the provider that has it. */
static void forward(struct request *req, const char *method)
{
    struct slice id = req->params[0];
    struct object_place place;
    if (slice_eq_z(request_query_param(req, "stream"), "true")) {
        request_fail(req, ERR_BAD_REQUEST, "stream", "stream: a stored response is not streamed");
        return;
    }
    enum err e = find_place(req, id, &place);
    if (e == ERR_NOT_FOUND) {
        request_fail(req, e, NULL, "Response with id '%.*s' not found.", SLICE_FMT(id));
        return;
    }
    if (e != ERR_OK) {
        request_fail(req, ERR_UNAVAILABLE, NULL, NULL);
        return;
    }
    struct forward_spec spec = {
        .format = &format_openai_responses,
        .method = method,
        .path = stored_path(req, id),
        .pin = {place.channel_id, place.channel_key_id, NULL},
    };
    if (spec.path == NULL) {
        request_fail(req, ERR_MEMORY, NULL, NULL);
        return;
    }
    int status = forward_run(req, &spec);
    if (status == 200 && req->method == METHOD_DELETE) {
        e = object_delete(app_of(req)->db, OBJECT_RESPONSE, id, admit_key(req)->account_id);
        if (e != ERR_OK)
            log_warn("response_not_forgotten", "error=%s", err_name(e));
    }
}

void respond_get(struct request *req)
{
    forward(req, "GET");
}

void respond_delete(struct request *req)
{
    forward(req, "DELETE");
}
