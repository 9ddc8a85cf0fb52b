#include "handlers/bill.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/amount.h"
#include "fcgi/response.h"
#include "fcgi/router.h"
#include "handlers/admit.h"
#include "handlers/errors.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SPEND_WAIT_MS      50  /* until the second try for a limit that running requests hold */
#define SPEND_REFUSED_MS   500 /* a refused extension is not asked for again before */
#define NAME_SIZE          96
#define HOLD_TRIES         3 /* a balance may shrink while we ask for less of it */
#define FOLLOW_NUMERATOR   3 /* the hold grows when three quarters of its output are used */
#define FOLLOW_DENOMINATOR 4

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Worst-case input: the body's bytes bound its tokens, payloads count by the model's constants, and what is only referred to may fill the context window. */
static int64_t input_bound(const struct catalog_model *m, const struct format_request *in)
{
    if (in->has_reference)
        return m->context_tokens;
    int64_t tokens = in->text_bytes + in->images * m->image_tokens + in->files * m->file_tokens +
                     in->audios * m->audio_tokens;
    return min_i64(tokens, m->context_tokens);
}

static enum err worst_price(const struct bill *b, int64_t output, int64_t *nusd)
{
    return pricing_worst(&b->worst, b->input_max, output, b->key->group_multiplier_ppm,
                         b->key->account_multiplier_ppm, nusd);
}

/* The most that may be charged. */
static int64_t cap_of(const struct bill *b)
{
    return b->spend_held_nusd < 0 ? b->hold.amount_nusd
                                  : min_i64(b->hold.amount_nusd, b->spend_held_nusd);
}

/* The hold under limits of spend. The cost of a request that has just ended is known to a limit some moments later: it is waited for, like for the balance. */
static enum err take_spend_hold(struct bill *b, int64_t need)
{
    int64_t deadline_ms = clock_mono_ms() + b->app->config->lease_wait_ms;
    int64_t wait_ms = SPEND_WAIT_MS;
    enum err e;
    while ((e = spend_hold_open(b->app->db, &b->spend, need, &b->refusal)) == ERR_SPEND_RESERVED &&
           clock_mono_ms() + wait_ms < deadline_ms) {
        usleep((useconds_t)wait_ms * 1000);
        wait_ms *= 2; /* a crowd that waits must not be what the limit's row is busy with */
    }
    if (e == ERR_OK || e == ERR_DB_UNKNOWN)
        b->spend_held_nusd = need;
    return e;
}

/* The hold on the balance and, where spend is limited, on that. *available: what could be held when it was too much. */
static enum err take_holds(struct bill *b, int64_t need, int64_t *available)
{
    enum err e = hold_open(b->app->money, b->key->account_id, need, &b->hold, available);
    if (e != ERR_OK || b->spend.limits_n == 0 || need == 0)
        return e;
    e = take_spend_hold(b, need);
    *available = e == ERR_SPEND_LIMIT ? b->refusal.left_nusd : -1;
    if (e != ERR_OK && e != ERR_DB_UNKNOWN)
        hold_cancel(b->app->money, &b->hold);
    return e;
}

/* "The spend limit per day of this API key". */
static const char *name_limit(char dst[NAME_SIZE], const struct rate *rate,
                              const struct spend_refusal *r)
{
    static const char *const periods[] = {"", " per day", " per month"};
    static const char *const scopes[] = {
        [LIMIT_KEY] = " of this API key",
        [LIMIT_KEY_MODEL] = " of this API key for this model",
        [LIMIT_ACCOUNT] = " of your account",
        [LIMIT_ACCOUNT_MODEL] = " of your account for this model",
        [LIMIT_GROUP] = " of your group",
        [LIMIT_GROUP_MODEL] = " of your group for this model",
        [LIMIT_MODEL] = " of this model",
    };
    const char *scope = "";
    for (size_t i = 0; i < rate->ticket.spends_n; i++)
        if (rate->ticket.spends[i].id == r->limit_id)
            scope = scopes[rate->ticket.spends[i].scope];
    snprintf(dst, NAME_SIZE, "The spend limit%s%s", periods[r->period], scope);
    return dst;
}

static enum err refuse_spend(struct bill *b, int64_t affordable)
{
    char name[NAME_SIZE];
    name_limit(name, b->rate, &b->refusal);
    if (b->refusal.wait_s >= 0)
        error_retry_after(b->req, b->refusal.wait_s);
    if (affordable >= b->app->config->hold_output_min)
        return request_fail(b->req, ERR_SPEND_LIMIT, "max_tokens",
                            "%s leaves at most %" PRId64
                            " output tokens for this request. Lower max_tokens.",
                            name, affordable);
    return request_fail(b->req, ERR_SPEND_LIMIT, NULL,
                        "%s is too low for this request, or reached.", name);
}

static enum err refuse(struct bill *b, enum err e, const struct format_request *in,
                       int64_t affordable)
{
    if (e == ERR_SPEND_LIMIT)
        return refuse_spend(b, affordable);
    if (e == ERR_NO_FUNDS && affordable >= b->app->config->hold_output_min)
        return request_fail(b->req, e, "max_tokens",
                            "Your balance cannot pay for the %" PRId64
                            " output tokens that this request may use; at most %" PRId64
                            " are affordable. Lower max_tokens or recharge your account.",
                            in->output_max, affordable);
    return request_fail(b->req, e, NULL, NULL);
}

/* How much output the available money pays for, per choice; below hold_output_min: not worth a start. */
static int64_t affordable_output(const struct bill *b, int64_t available, int64_t choices)
{
    return pricing_affordable_output(&b->worst, b->input_max, available,
                                     b->key->group_multiplier_ppm, b->key->account_multiplier_ppm) /
           choices;
}

/* Takes the hold; on a small balance a request that named no limit, or a stream, is given what the balance can pay. */
static enum err take_hold(struct bill *b, const struct format_request *in)
{
    const struct config *config = b->app->config;
    int64_t wanted = min_i64(b->output_limit, in->is_stream ? config->hold_output_max * in->choices
                                                            : b->output_limit);
    int64_t affordable = -1;
    enum err e = ERR_NO_FUNDS;
    for (int i = 0; i < HOLD_TRIES && (e == ERR_NO_FUNDS || e == ERR_SPEND_LIMIT); i++) {
        int64_t need = 0;
        int64_t available = 0;
        if (worst_price(b, wanted, &need) != ERR_OK)
            return request_fail(b->req, ERR_INTERNAL, NULL, NULL);
        e = take_holds(b, need, &available);
        if (e == ERR_OK || e == ERR_DB_UNKNOWN)
            break;
        if (e != ERR_NO_FUNDS && e != ERR_SPEND_LIMIT)
            return refuse(b, e, in, -1);
        affordable = affordable_output(b, available, in->choices);
        bool may_shrink = in->output_max < 0 || in->is_stream;
        if (!may_shrink || affordable < config->hold_output_min)
            return refuse(b, e, in, affordable);
        wanted = min_i64(wanted, affordable * in->choices);
        if (in->output_max < 0) {
            b->output_inject = affordable;
            b->output_limit = wanted;
        }
    }
    if (e != ERR_OK && e != ERR_DB_UNKNOWN)
        return refuse(b, e, in, -1);
    b->output_held = wanted;
    return e;
}

/* Nobody knows whether a limit of spend holds this request: it is written down as one that failed, since a usage row ends such a hold. */
static enum err give_up(struct bill *b)
{
    rate_cancel(b->rate);
    bill_settle(b, USAGE_ERROR, ERR_UNAVAILABLE, NULL);
    return request_fail(b->req, ERR_UNAVAILABLE, NULL, NULL);
}

static void fill_row(struct bill *b, const struct format *format, const struct format_request *in)
{
    struct usage_row *row = &b->row;
    memcpy(row->request_id, b->req->id, sizeof(row->request_id));
    row->account_id = b->key->account_id;
    row->api_key_id = b->key->id;
    row->group_id = b->key->group_id;
    slice_copy_z(row->endpoint, sizeof(row->endpoint), slice_of(b->req->route->endpoint));
    slice_copy_z(row->model, sizeof(row->model), slice_of(b->model->name));
    slice_copy_z(row->client_format, sizeof(row->client_format), slice_of(format->name));
    row->is_stream = in->is_stream;
    row->status = USAGE_INTERRUPTED;
    row->group_multiplier_ppm = b->key->group_multiplier_ppm;
    row->account_multiplier_ppm = b->key->account_multiplier_ppm;
    row->hold_nusd = b->hold.amount_nusd;
    row->first_byte_ms = -1;
    row->channel_cost_nusd = -1;
    row->created_wall_ms = b->req->started_wall_ms;
    memcpy(row->price_lines, "[]", 3);
}

static struct spend_hold spend_of(const struct bill *b, const struct limit_ticket *t)
{
    struct spend_hold h = {.request_id = b->req->id, .process_id = money_process_id(b->app->money)};
    for (; h.limits_n < t->spends_n; h.limits_n++)
        h.limit_ids[h.limits_n] = t->spends[h.limits_n].id;
    return h;
}

enum err bill_open(struct bill *b, struct request *req, const struct catalog_model *model,
                   const struct format *format, const struct format_request *in, struct rate *rate)
{
    *b = (struct bill){.app = app_of(req), .req = req, .key = admit_key(req), .model = model};
    b->slot.index = -1;
    b->output_inject = -1;
    b->spend_held_nusd = -1;
    b->spend = spend_of(b, &rate->ticket);
    b->rate = rate;
    b->input_max = input_bound(model, in);
    b->prices = price_choose(&model->prices, b->key->group_id, b->key->account_id);
    price_pick_dearest(&b->prices, b->input_max, &b->worst);
    int64_t output = model->output_tokens_max;
    if (in->output_max >= 0)
        output = min_i64(output, in->output_max);
    b->output_limit = output * in->choices;
    if (!money_may_admit(b->app->money))
        return request_fail(req, ERR_UNAVAILABLE, NULL, NULL);
    enum err held = take_hold(b, in);
    if (held != ERR_OK && held != ERR_DB_UNKNOWN)
        return held;
    fill_row(b, format, in);
    enum err e = journal_admit(b->app->money, &b->row, &b->slot);
    if (e != ERR_OK) {
        if (b->spend_held_nusd >= 0)
            spend_hold_cancel(b->app->db, &b->spend);
        hold_cancel(b->app->money, &b->hold);
        return request_fail(req, e, NULL, NULL);
    }
    if (held == ERR_DB_UNKNOWN)
        return give_up(b);
    FAULT("k2"); /* held and noted, the provider knows nothing */
    return ERR_OK;
}

static struct usage usage_of(const struct counts *c)
{
    return (struct usage){
        .input = c->in_fresh,
        .cached_input = c->in_read,
        .cache_write = c->in_write,
        .cache_write_1h = c->in_write_1h,
        .output = c->out_all,
        .reasoning = c->out_think,
        .is_known = c->is_known,
        .is_estimated = !c->is_known || c->is_estimated,
    };
}

/* All input, whatever it costs: what thresholds are compared with. */
static int64_t input_of(const struct usage *u)
{
    return u->input + u->cached_input + u->cache_write + u->cache_write_1h;
}

/* What the usage costs the customer by the tier that the answer named. */
static int64_t price_usage(const struct bill *b, const struct reader *reader,
                           const struct usage *usage, struct price *price)
{
    int64_t cost = 0;
    price_pick(&b->prices, price_service_parse(reader->service_tier), input_of(usage), price);
    if (pricing_cost(price, usage, b->row.group_multiplier_ppm, b->row.account_multiplier_ppm,
                     &cost) == ERR_OK)
        return cost;
    log_error("price_out_of_range", "model=%s", b->model->name);
    return MONEY_MAX_NUSD;
}

/* What the usage costs the owner at the provider. False: the channel has no price for it. */
static bool price_channel(const struct bill *b, const struct reader *reader, struct price *price,
                          int64_t *cost)
{
    const struct usage *usage = &b->row.usage;
    struct price_choice prices = price_choose_channel(&b->model->prices, b->row.channel_id);
    price_pick(&prices, price_service_parse(reader->service_tier), input_of(usage), price);
    return price_is_complete(price) &&
           pricing_cost(price, usage, MONEY_PPM_PER_ONE, MONEY_PPM_PER_ONE, cost) == ERR_OK;
}

/* Puts usage, costs, shortfall and price lines into the row; never more than is held. */
static void charge(struct bill *b, const struct reader *reader)
{
    struct usage_row *row = &b->row;
    struct price price, channel;
    struct counts counts = reader_counts(reader);
    row->usage = usage_of(&counts);
    int64_t cost = price_usage(b, reader, &row->usage, &price);
    row->cost_nusd = min_i64(cost, cap_of(b));
    row->shortfall_nusd = cost - row->cost_nusd;
    if (row->shortfall_nusd > 0) {
        char text[MONEY_TEXT_SIZE];
        log_warn("shortfall", "model=%s amount=%s", b->model->name,
                 amount_print(text, row->shortfall_nusd));
    }
    row->channel_cost_nusd = -1;
    bool has_channel = price_channel(b, reader, &channel, &row->channel_cost_nusd);
    pricing_lines(&price, has_channel ? &channel : NULL, &row->usage, row->price_lines,
                  sizeof(row->price_lines));
    slice_copy_z(row->finish_reason, sizeof(row->finish_reason), slice_of(reader->finish_reason));
    slice_copy_z(row->service_tier, sizeof(row->service_tier), slice_of(reader->service_tier));
    slice_copy_z(row->usage_method, sizeof(row->usage_method),
                 slice_of(row->usage.is_estimated ? COUNTS_ESTIMATE_METHOD : "provider"));
}

int64_t bill_quote(const struct bill *b, const struct reader *reader)
{
    struct counts counts = reader_counts(reader);
    struct usage usage = usage_of(&counts);
    struct price price;
    return min_i64(price_usage(b, reader, &usage, &price), cap_of(b));
}

/* More for both holds, that on limits first: what the balance then refuses ends with the usage row. */
static enum err extend_holds(struct bill *b, int64_t more)
{
    if (b->spend_held_nusd >= 0) {
        if (b->spend_refused_ms != 0 && clock_mono_ms() - b->spend_refused_ms < SPEND_REFUSED_MS)
            return ERR_SPEND_LIMIT;
        enum err e = spend_hold_extend(b->app->db, &b->spend, more);
        if (e != ERR_OK) {
            b->spend_refused_ms = clock_mono_ms();
            return e == ERR_DB_UNKNOWN ? ERR_UNAVAILABLE : e;
        }
        b->spend_held_nusd += more;
    }
    return hold_extend(b->app->money, &b->hold, more);
}

enum err bill_follow(struct bill *b, const struct reader *reader)
{
    int64_t seen = text_size_tokens(&reader->output);
    if (b->is_settled || b->output_held >= b->output_limit ||
        seen < b->output_held / FOLLOW_DENOMINATOR * FOLLOW_NUMERATOR)
        return ERR_OK;
    int64_t held = min_i64(b->output_held + b->app->config->hold_output_max, b->output_limit);
    int64_t need = 0;
    if (worst_price(b, held, &need) != ERR_OK)
        return ERR_INTERNAL;
    enum err e = ERR_OK;
    if (need > b->hold.amount_nusd)
        e = extend_holds(b, need - b->hold.amount_nusd);
    if (e != ERR_OK)
        return seen < b->output_held ? ERR_OK : e; /* what is held may still be used */
    b->output_held = held;
    /* From here on an interruption is charged for what was seen: the slot says so. */
    struct usage_row before = b->row;
    charge(b, reader);
    b->row.hold_nusd = b->hold.amount_nusd;
    journal_note(b->app->money, &b->slot, &b->row);
    b->row = before;
    return ERR_OK;
}

static void log_settled(const struct bill *b)
{
    char cost[MONEY_TEXT_SIZE];
    const struct usage_row *row = &b->row;
    b->req->log_pairs = arena_printf(
        b->req->arena,
        "account=%" PRId64 " key=%" PRId64 " model=%s channel=%" PRId64
        " usage=%s error=%s attempts=%d input=%" PRId64 " output=%" PRId64 " cost=%s",
        row->account_id, row->api_key_id, row->model, row->channel_id,
        usage_status_name(row->status), row->error_code[0] != '\0' ? row->error_code : "none",
        row->attempts, row->usage.input + row->usage.cached_input + row->usage.cache_write,
        row->usage.output, amount_print(cost, row->cost_nusd));
}

void bill_settle(struct bill *b, enum usage_status status, enum err error,
                 const struct reader *reader)
{
    if (b->is_settled)
        return;
    struct usage_row *row = &b->row;
    assert(b->slot.index >= 0);
    assert(status != USAGE_INTERRUPTED);
    row->status = status;
    if (response_is_committed(b->req))
        row->http_status = response_status_get(b->req);
    else if (row->http_status == 0 && status != USAGE_CLIENT_GONE)
        row->http_status = err_info(error)->http_status;
    if (error != ERR_OK)
        slice_copy_z(row->error_code, sizeof(row->error_code), slice_of(err_name(error)));
    if (reader != NULL)
        charge(b, reader);
    row->duration_ms = clock_mono_ms() - b->req->started_ms;
    FAULT("k5"); /* the usage is known to this process only */
    journal_close(b->app->money, &b->slot, row);
    FAULT("k6"); /* journaled, the last byte not sent */
    hold_settle(b->app->money, &b->hold, row->cost_nusd);
    rate_settle(b->rate, &row->usage);
    b->is_settled = true;
    log_settled(b);
}
