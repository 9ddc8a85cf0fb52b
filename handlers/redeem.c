#include "handlers/redeem.h"

#include "base/json.h"
#include "base/amount.h"
#include "db/redeem.h"
#include "fcgi/response.h"
#include "handlers/admit.h"
#include "handlers/app.h"
#include "handlers/errors.h"
#include "handlers/throttle.h"

static enum err respond(struct request *req, const struct redeemed *r)
{
    char amount[MONEY_TEXT_SIZE];
    struct json_object *o = json_object_new_object();
    if (o == NULL || json_add_string(o, "object", "redemption") != ERR_OK ||
        json_add_string(o, "amount", amount_print(amount, r->amount_nusd)) != ERR_OK ||
        json_add_string(o, "currency", "USD") != ERR_OK) {
        json_object_put(o);
        return request_fail(req, ERR_MEMORY, NULL, NULL);
    }
    return response_json(req, 200, o);
}

static void refuse(struct request *req, enum err e, const struct redeemed *r)
{
    char amount[MONEY_TEXT_SIZE];
    switch (e) {
    case ERR_NOT_FOUND:
        request_fail(req, e, "code", "There is no such code.");
        return;
    case ERR_CODE_USED:
        if (r->is_own)
            request_fail(req, e, "code",
                         "Your account has redeemed this code before: %s USD were credited.",
                         amount_print(amount, r->amount_nusd));
        else
            request_fail(req, e, "code", NULL);
        return;
    default:
        request_fail(req, e, e == ERR_CODE_EXPIRED ? "code" : NULL, NULL);
        return;
    }
}

static void use_code(struct request *req, struct slice code)
{
    const struct app *app = app_of(req);
    const struct key *key = admit_key(req);
    int64_t wait_ms = throttle_wait_ms(app->redeem_failures, key->account_id, clock_mono_ms());
    if (wait_ms > 0) {
        error_retry_after(req, (wait_ms + 999) / 1000);
        request_fail(req, ERR_RATE, NULL, "Too many codes that failed. Please try again later.");
        return;
    }
    struct redeemed r = {0};
    enum err e = redeem_use(app->db, code, key->account_id, key->id, &r);
    if (e == ERR_OK) {
        e = respond(req, &r);
        (void)e; /* a client that is gone does not get it */
        return;
    }
    if (e != ERR_UNAVAILABLE)
        throttle_fail(app->redeem_failures, key->account_id, clock_mono_ms());
    refuse(req, e, &r);
}

void redeem_post(struct request *req)
{
    struct json_object *body = NULL;
    struct slice code = {NULL, 0};
    if (json_parse(req->body, &body) != ERR_OK || !json_object_is_type(body, json_type_object)) {
        request_fail(req, ERR_BAD_REQUEST, NULL, "The request body is not a valid JSON object.");
    } else if (json_get_string(body, "code", &code) != ERR_OK || code.n == 0) {
        request_fail(req, ERR_BAD_REQUEST, "code", "code: expected the text of a redeem code");
    } else {
        use_code(req, code);
    }
    json_object_put(body);
}
