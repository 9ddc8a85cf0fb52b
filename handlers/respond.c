#include "handlers/respond.h"

#include "base/log.h"
#include "db/objects.h"
#include "fcgi/response.h"
#include "handlers/admit.h"
#include "handlers/app.h"
#include "handlers/forward.h"
#include "handlers/relay.h"
#include "upstream/responses.h"

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
    *out = (struct relay_pin){place.channel_id, place.channel_key_id};
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

/* The stored response at the provider that has it. */
static void forward(struct request *req, const char *method)
{
    struct slice id = req->params[0];
    struct object_place place;
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
        .path = arena_printf(req->arena, "/responses/%.*s%s%.*s", SLICE_FMT(id),
                             req->query.n > 0 ? "?" : "", SLICE_FMT(req->query)),
        .pin = {place.channel_id, place.channel_key_id},
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
