#include "handlers/choice.h"

#include "base/hash.h"
#include "base/log.h"
#include "db/provider_key.h"
#include "handlers/admit.h"
#include "upstream/channel_load.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define FORBIDDEN_KEYS 3   /* a key that is forbidden so many models is no good */
#define LOOK_MS        250 /* at the client and at the end of the process, while waiting */
#define REASON_SIZE    96
#define FULL_LOOK_MS   50  /* at a channel whose requests are all running */
#define UNDECIDED_MS   500 /* at one whose limits cannot be decided */

/* ---- the candidates ---- */

/* A call with a verb of its own has no meaning elsewhere, nor has what a provider keeps. */
static bool can_carry(const struct relay_read *read, const struct format *client,
                      const struct relay_pin *pin, const struct catalog_channel *channel)
{
    const struct format *provider = format_find(channel->format);
    bool is_bound = pin->channel_id != 0 || read->in.verb != NULL;
    if (pin->channel_id != 0 && channel->id != pin->channel_id)
        return false;
    if (provider == client)
        return true;
    return provider != NULL && provider->encode_request != NULL && !is_bound;
}

static void add_keys(struct choice *c, const struct catalog_route *route,
                     const struct relay_pin *pin, size_t max)
{
    const struct catalog_channel *channel = route->channel;
    for (size_t k = 0; k < channel->keys_n && c->n < max; k++) {
        const struct catalog_channel_key *key = &channel->keys[k];
        if (pin->key_id != 0 && key->id != pin->key_id)
            continue;
        c->targets[c->n] = (struct target){.route = route, .key = key};
        c->candidates[c->n++] = (struct candidate){
            .channel_id = channel->id,
            .key_id = key->id,
            .priority = channel->priority,
            .weight = channel->weight * key->weight,
            .key_weight = key->weight,
        };
    }
}

/* The text between the quotes of a member of metadata; n 0. */
static struct slice metadata_text(const struct format_request *in, const char *name)
{
    struct jvalue v;
    for (size_t i = 0; i < in->members_n; i++)
        if (jscan_key_is(&in->members[i], "metadata") &&
            in->members[i].value.kind == JSCAN_OBJECT &&
            jscan_find(in->members[i].value, name, &v) == ERR_OK && v.kind == JSCAN_STRING)
            return (struct slice){v.raw.p + 1, v.raw.n - 2};
    return (struct slice){NULL, 0};
}

static bool has_cache_key(const struct format_request *in)
{
    for (size_t i = 0; i < in->members_n; i++)
        if (jscan_key_is(&in->members[i], "prompt_cache_key"))
            return true;
    return false;
}

/* What names the conversation: what the client says is its cache, the session of its program, whom it asks for, the head of the prompt. */
static struct slice conversation_of(const struct request *req, const struct format_request *in)
{
    static const char *const headers[] = {"x-claude-code-session-id", "session-id", "session_id"};
    static const char *const members[] = {"session_id", "user_id"};
    struct slice s = {NULL, 0};
    if (has_cache_key(in))
        return in->affinity;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]) && s.n == 0; i++)
        s = slice_trim(request_header(req, headers[i]));
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && s.n == 0; i++)
        s = metadata_text(in, members[i]);
    return s.n > 0 ? s : in->affinity;
}

enum err choice_init(struct choice *c, struct request *req, const struct relay_read *read,
                     const struct format *client, const struct relay_pin *pin)
{
    const struct catalog_model *model = read->model;
    const struct key *key = admit_key(req);
    size_t max = 0;
    for (size_t i = 0; i < model->routes_n; i++)
        max += model->routes[i].channel->keys_n;
    if (max > SELECT_CANDIDATES_MAX)
        max = SELECT_CANDIDATES_MAX;
    *c = (struct choice){
        .req = req,
        .app = app_of(req),
        .candidates = arena_alloc(req->arena, max * sizeof(*c->candidates) + 1),
        .targets = arena_alloc(req->arena, max * sizeof(*c->targets) + 1),
        .affinity = hash_64(conversation_of(req, &read->in), (uint64_t)key->account_id),
        .tokens = text_size_tokens(&read->in.text),
        .model_id = model->id,
        .retry_ms = -1,
        .pick = SELECT_NONE,
    };
    if (c->candidates == NULL || c->targets == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < model->routes_n; i++)
        if (can_carry(read, client, pin, model->routes[i].channel) &&
            channel_admits(model->routes[i].channel, key->group_id))
            add_keys(c, &model->routes[i], pin, max);
    return c->n > 0 ? ERR_OK : ERR_NO_CHANNEL;
}

/* ---- what is ready ---- */

/* With another secret it is another key: nothing is held against that. */
static struct breaker_place place_of(const struct choice *c, size_t i)
{
    const struct catalog_channel_key *key = c->targets[i].key;
    uint64_t secret = hash_64(slice_of(key->secret), (uint64_t)key->id);
    return (struct breaker_place){c->candidates[i].channel_id, (int64_t)(secret >> 1), c->model_id};
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* How long one candidate is not to be tried, its channel's room apart; INT64_MAX: not in this request. */
static int64_t blocked_ms(const struct choice *c, size_t i, int64_t now_ms)
{
    const struct target *t = &c->targets[i];
    struct breaker_place place = place_of(c, i);
    if (t->is_done && t->ready_ms == 0)
        return INT64_MAX;
    int64_t wait = breaker_wait_ms(c->app->breakers, &place, now_ms);
    wait = most(most(wait, 0), most(t->ready_ms, t->key->ready_ms) - now_ms);
    return wait > 0 && t->key->is_disabled ? INT64_MAX : wait; /* refused: nobody waits for it */
}

static int64_t look_at(struct choice *c, size_t i, int64_t now_ms)
{
    struct candidate *candidate = &c->candidates[i];
    int64_t blocked = blocked_ms(c, i, now_ms);
    int64_t room = most(c->targets[i].full_ms - now_ms, 0);
    candidate->running = load_running(c->app->loads, candidate->channel_id);
    candidate->is_tried = blocked > 0;
    candidate->is_full = room > 0;
    c->is_limited = c->is_limited || (blocked < INT64_MAX && room > 0);
    return most(blocked, room);
}

/* Looks at all; the time until the first is ready. */
static int64_t look_at_all(struct choice *c)
{
    int64_t now_ms = clock_mono_ms(), soonest = INT64_MAX;
    c->is_limited = false;
    for (size_t i = 0; i < c->n; i++) {
        int64_t wait = look_at(c, i, now_ms);
        if (wait < soonest)
            soonest = wait;
    }
    return soonest;
}

/* Takes what the request needs of the channel's limits; false: it is full, with all its keys. */
static bool take_room(struct choice *c, size_t i)
{
    int64_t channel_id = c->candidates[i].channel_id;
    struct limit_ask ask = {.channel_id = channel_id, .model_id = c->model_id, .tokens = c->tokens};
    enum err e = limit_take(c->app->limits, &ask, &c->ticket);
    if (e == ERR_OK)
        return true;
    int64_t wait_ms = e != ERR_RATE                      ? UNDECIDED_MS
                      : c->ticket.refused == LIMIT_SLOTS ? FULL_LOOK_MS
                                                         : most(c->ticket.wait_ms, 1);
    for (size_t k = 0; k < c->n; k++)
        if (c->candidates[k].channel_id == channel_id)
            c->targets[k].full_ms = clock_mono_ms() + wait_ms;
    return false;
}

/* A key that is not disabled, or that it is this request's turn to try. */
static bool take_key(struct choice *c, struct target *t)
{
    if (!t->key->is_disabled ||
        provider_key_claim(c->app->db, t->key->id, c->app->config->key_probe_ms) == ERR_OK)
        return true;
    t->is_done = true;
    t->ready_ms = 0;
    return false;
}

/* False: there is no room, or another was faster. */
static bool enter(struct choice *c, size_t i)
{
    struct breaker_place place = place_of(c, i);
    if (!take_room(c, i))
        return false;
    if (!take_key(c, &c->targets[i]) ||
        !breaker_enter(c->app->breakers, &place, clock_mono_ms(), c->is_probe)) {
        limit_cancel(c->app->limits, &c->ticket);
        return false;
    }
    load_enter(c->app->loads, place.channel_id);
    c->pick = i;
    return true;
}

/* Time passes; the client's leaving is seen. */
static enum err wait_for(struct choice *c, int64_t ms)
{
    struct pollfd client = {.fd = request_gone_fd(c->req), .events = POLLIN};
    int64_t until_ms = clock_mono_ms() + ms;
    for (int64_t left = ms; left > 0; left = until_ms - clock_mono_ms()) {
        bool is_awake = poll(&client, 1, (int)(left < LOOK_MS ? left : LOOK_MS)) > 0;
        if (is_awake && request_is_gone(c->req))
            return ERR_CLIENT_GONE;
        if (is_awake)
            client.fd = -1; /* it has more to say, which nobody reads now */
        if (atomic_load(c->app->is_stopping))
            return ERR_BUSY;
    }
    c->waited_ms += ms;
    return ERR_OK;
}

enum err choice_take(struct choice *c, struct target **out)
{
    c->retry_ms = -1;
    for (;;) {
        int64_t soonest = look_at_all(c);
        size_t i = select_next(c->candidates, c->n, c->affinity);
        if (i != SELECT_NONE && enter(c, i)) {
            *out = &c->targets[i];
            return ERR_OK;
        }
        if (i != SELECT_NONE)
            continue; /* what was seen of it has changed: it is not ready any more */
        if (soonest == INT64_MAX)
            return ERR_NO_CHANNEL;
        if (soonest > c->app->config->retry_after_max_ms - c->waited_ms) {
            c->retry_ms = soonest;
            return ERR_NO_CHANNEL;
        }
        enum err e = wait_for(c, soonest > 0 ? soonest : 1);
        if (e != ERR_OK)
            return e;
    }
}

/* ---- what came of it ---- */

/* What the end of an attempt says of where it went. wait_ms: the provider's word. */
static struct breaker_report report_of(const struct attempt *a, enum err e, int64_t wait_ms)
{
    struct breaker_report r = {BREAKER_FAILED, BREAKER_MODEL, wait_ms};
    switch (e) {
    case ERR_OK:
    case ERR_UP_REJECTED:
    case ERR_UP_CONTEXT:
        r.outcome = BREAKER_ANSWERED;
        break;
    case ERR_UP_CONNECT:
        r.scope = BREAKER_CHANNEL;
        break;
    case ERR_UP_RATE:
        r.outcome = BREAKER_LIMITED;
        r.scope = BREAKER_KEY_MODEL;
        break;
    case ERR_UP_AUTH:
        r.outcome = BREAKER_REFUSED;
        r.scope = a->status == 403 ? BREAKER_KEY_MODEL : BREAKER_KEY;
        break;
    default:
        if (!err_info(e)->breaker_counts)
            r.outcome = a->status == 200 ? BREAKER_ANSWERED : BREAKER_UNKNOWN;
        else if (e == ERR_UP_STATUS && wait_ms >= 0)
            r.outcome = BREAKER_LIMITED;
        break;
    }
    return r;
}

/* A refused key is nobody's to use, in any process; what cannot be written now is tried at the next refusal. */
static void note_refusal(const struct choice *c, const struct attempt *a,
                         const struct breaker_place *place)
{
    const struct config *config = c->app->config;
    char reason[REASON_SIZE];
    if (a->status == 403 &&
        breaker_forbidden(c->app->breakers, place, clock_mono_ms()) < FORBIDDEN_KEYS)
        return;
    if (config->key_probe_ms == 0 || a->key->is_disabled)
        return;
    snprintf(reason, sizeof(reason), "the provider answers %d%s", a->status,
             a->status == 403 ? " for different models" : "");
    enum err e = provider_key_disable(c->app->db, a->key->id, reason, config->key_probe_ms);
    log_error("channel_key_refused", "channel=%s channel_key=%lld status=%d disabled=%s",
              a->route->channel->name, (long long)a->key->id, a->status,
              e == ERR_OK ? "yes" : err_name(e));
}

/* A key that was disabled has answered. */
static void note_recovery(const struct choice *c, const struct catalog_channel_key *key)
{
    enum err e = provider_key_enable(c->app->db, key->id);
    log_info("channel_key_works", "channel_key=%lld enabled=%s", (long long)key->id,
             e == ERR_OK ? "yes" : err_name(e));
}

static void report(struct choice *c, const struct breaker_report *r)
{
    struct breaker_place place = place_of(c, c->pick);
    breaker_leave(c->app->breakers, &place, clock_mono_ms(), c->is_probe, r);
    memset(c->is_probe, 0, sizeof(c->is_probe));
}

void choice_begun(struct choice *c)
{
    bool is_probe = false;
    for (int i = 0; i < BREAKER_SCOPES; i++)
        is_probe = is_probe || c->is_probe[i];
    if (c->pick != SELECT_NONE && is_probe)
        report(c, &(struct breaker_report){.outcome = BREAKER_ANSWERED});
}

/* A credential or rate fault is that of one provider key; any other is the channel's with all its keys. */
static void mark_done(struct choice *c, enum err e, int64_t wait_ms)
{
    bool is_key_fault = e == ERR_UP_AUTH || e == ERR_UP_RATE;
    bool may_again = wait_ms >= 0 && (e == ERR_UP_RATE || e == ERR_UP_STATUS);
    for (size_t i = 0; i < c->n; i++) {
        if (i != c->pick &&
            (is_key_fault || c->candidates[i].channel_id != c->candidates[c->pick].channel_id))
            continue;
        c->targets[i].is_done = true;
        c->targets[i].ready_ms = may_again ? clock_mono_ms() + most(wait_ms, 1) : 0;
    }
}

/* Tokens that the provider has counted; as estimated when it does not tell. */
static int64_t used_of(const struct choice *c, const struct counts *counts)
{
    int64_t input = counts->in_fresh + counts->in_read + counts->in_write + counts->in_write_1h;
    return (input > 0 ? input : c->tokens) + counts->out_all;
}

void choice_give(struct choice *c, const struct attempt *a, enum err e)
{
    struct breaker_place place = place_of(c, c->pick);
    struct counts counts = reader_counts(&a->reader);
    int64_t wait_ms = a->retry_after_ms >= 0 ? a->retry_after_ms
                      : e == ERR_UP_RATE     ? a->reset_ms
                                             : -1;
    struct breaker_report r = report_of(a, e, wait_ms);
    report(c, &r);
    load_leave(c->app->loads, place.channel_id);
    limit_settle(c->app->limits, &c->ticket,
                 r.outcome == BREAKER_ANSWERED ? used_of(c, &counts) : 0);
    if (e == ERR_UP_AUTH)
        note_refusal(c, a, &place);
    else if (r.outcome == BREAKER_ANSWERED && a->key->is_disabled)
        note_recovery(c, a->key);
    mark_done(c, e, wait_ms);
    c->pick = SELECT_NONE;
}
