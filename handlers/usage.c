#include "handlers/usage.h"

#include "base/json.h"
#include "base/amount.h"
#include "db/ledger.h"
#include "fcgi/response.h"
#include "handlers/admit.h"
#include "handlers/app.h"

static enum err add_money(struct json_object *o, const char *name, int64_t nusd)
{
    char text[MONEY_TEXT_SIZE];
    return json_add_string(o, name, amount_print(text, nusd));
}

/* A new object under a name of o; NULL when memory is out. */
static struct json_object *add_object(struct json_object *o, const char *name)
{
    struct json_object *child = json_object_new_object();
    if (child == NULL || json_add_take(o, name, child) != ERR_OK)
        return NULL;
    return child;
}

static bool add_spend(struct json_object *o, const char *name, const struct ledger_spend *s)
{
    struct json_object *child = add_object(o, name);
    return child != NULL && json_add_i64(child, "requests", s->requests) == ERR_OK &&
           json_add_i64(child, "input_tokens", s->input_tokens) == ERR_OK &&
           json_add_i64(child, "output_tokens", s->output_tokens) == ERR_OK &&
           add_money(child, "cost", s->cost_nusd) == ERR_OK;
}

static bool fill(struct json_object *o, const struct key *key, const struct ledger_summary *s)
{
    if (json_add_string(o, "object", "usage") != ERR_OK ||
        json_add_string(o, "currency", "USD") != ERR_OK ||
        add_money(o, "balance", s->balance_nusd) != ERR_OK ||
        add_money(o, "reserved", s->reserved_nusd) != ERR_OK)
        return false;
    struct json_object *account = add_object(o, "account");
    if (account == NULL || !add_spend(account, "today", &s->account_today) ||
        !add_spend(account, "month", &s->account_month))
        return false;
    struct json_object *own = add_object(o, "key");
    return own != NULL && json_add_string(own, "name", key->name) == ERR_OK &&
           json_add_string(own, "hint", key->hint) == ERR_OK &&
           add_spend(own, "today", &s->key_today) && add_spend(own, "month", &s->key_month);
}

void usage_get(struct request *req)
{
    const struct key *key = admit_key(req);
    struct ledger_summary summary;
    enum err e = ledger_read_summary(app_of(req)->db, key->account_id, key->id, &summary);
    if (e != ERR_OK) {
        request_fail(req, e, NULL, NULL);
        return;
    }
    struct json_object *o = json_object_new_object();
    if (o == NULL || !fill(o, key, &summary)) {
        json_object_put(o);
        request_fail(req, ERR_MEMORY, NULL, NULL);
        return;
    }
    e = response_json(req, 200, o);
    (void)e; /* a client that is gone does not get it */
}
