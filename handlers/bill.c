#include "handlers/bill.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/money.h"
#include "fcgi/response.h"
#include "fcgi/router.h"
#include "handlers/admit.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define HOLD_TRIES 3          /* a balance may shrink while we ask for less of it */
#define FOLLOW_NUMERATOR 3    /* the hold grows when three quarters of its output are used */
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
    return pricing_worst(&b->model->price, b->input_max, output, b->key->group_multiplier_ppm,
                         b->key->account_multiplier_ppm, nusd);
}

static enum err refuse(struct bill *b, enum err e, const struct format_request *in,
                       int64_t affordable)
{
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
    return pricing_affordable_output(&b->model->price, b->input_max, available,
                                     b->key->group_multiplier_ppm,
                                     b->key->account_multiplier_ppm) /
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
    for (int i = 0; i < HOLD_TRIES && e == ERR_NO_FUNDS; i++) {
        int64_t need = 0;
        int64_t available = 0;
        if (worst_price(b, wanted, &need) != ERR_OK)
            return request_fail(b->req, ERR_INTERNAL, NULL, NULL);
        e = hold_open(b->app->money, b->key->account_id, need, &b->hold, &available);
        if (e == ERR_OK)
            break;
        if (e != ERR_NO_FUNDS)
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
    if (e != ERR_OK)
        return refuse(b, e, in, -1);
    b->output_held = wanted;
    return ERR_OK;
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
    row->created_wall_ms = b->req->started_wall_ms;
    memcpy(row->price_lines, "[]", 3);
}

enum err bill_open(struct bill *b, struct request *req, const struct catalog_model *model,
                   const struct format *format, const struct format_request *in)
{
    *b = (struct bill){.app = app_of(req), .req = req, .key = admit_key(req), .model = model};
    b->slot.index = -1;
    b->output_inject = -1;
    b->input_max = input_bound(model, in);
    int64_t output = model->output_tokens_max;
    if (in->output_max >= 0)
        output = min_i64(output, in->output_max);
    b->output_limit = output * in->choices;
    if (!money_may_admit(b->app->money))
        return request_fail(req, ERR_UNAVAILABLE, NULL, NULL);
    enum err e = take_hold(b, in);
    if (e != ERR_OK)
        return e;
    fill_row(b, format, in);
    e = journal_admit(b->app->money, &b->row, &b->slot);
    if (e != ERR_OK) {
        hold_cancel(b->app->money, &b->hold);
        return request_fail(req, e, NULL, NULL);
    }
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
        .is_estimated = !c->is_known,
    };
}

/* Puts usage, cost, shortfall and price lines into the row; never more than is held. */
static void charge(struct bill *b, const struct reader *reader)
{
    struct usage_row *row = &b->row;
    const struct price *price = &b->model->price;
    struct counts counts = reader_counts(reader);
    row->usage = usage_of(&counts);
    int64_t cost = 0;
    enum err e = pricing_cost(price, &row->usage, row->group_multiplier_ppm,
                              row->account_multiplier_ppm, &cost);
    if (e != ERR_OK) {
        log_error("price_out_of_range", "model=%s", b->model->name);
        cost = MONEY_MAX_NUSD;
    }
    row->cost_nusd = min_i64(cost, b->hold.amount_nusd);
    row->shortfall_nusd = cost - row->cost_nusd;
    if (row->shortfall_nusd > 0) {
        char text[MONEY_TEXT_SIZE];
        log_warn("shortfall", "model=%s amount=%s", b->model->name,
                 money_print(text, row->shortfall_nusd));
    }
    pricing_lines(price, &row->usage, row->price_lines, sizeof(row->price_lines));
    slice_copy_z(row->finish_reason, sizeof(row->finish_reason), slice_of(reader->finish_reason));
}

enum err bill_follow(struct bill *b, const struct reader *reader)
{
    int64_t seen = text_size_tokens(&reader->output);
    if (b->is_settled || b->output_held >= b->output_limit ||
        seen < b->output_held / FOLLOW_DENOMINATOR * FOLLOW_NUMERATOR)
        return ERR_OK;
    int64_t held =
        min_i64(b->output_held + b->app->config->hold_output_max, b->output_limit);
    int64_t need = 0;
    if (worst_price(b, held, &need) != ERR_OK)
        return ERR_INTERNAL;
    enum err e = ERR_OK;
    if (need > b->hold.amount_nusd)
        e = hold_extend(b->app->money, &b->hold, need - b->hold.amount_nusd);
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
        row->usage.output, money_print(cost, row->cost_nusd));
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
    b->is_settled = true;
    log_settled(b);
}
