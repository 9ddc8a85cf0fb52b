/* One request, from its hold to its settlement, as handlers run it. */
#include "tests/sim/actions.h"
#include "tests/sim/fiber.h"
#include "tests/sim/oracle.h"

#include <string.h>

#define NEED_SMALL 300
#define NEED_LARGE 4000

struct life {
    struct request *r;
    struct money *m;
    struct hold hold;
    struct journal_slot slot;
    struct usage_row row;
};

static enum err open_hold(struct life *l, int64_t need, int64_t *available)
{
    struct request *r = l->r;
    r->asks_nusd = need;
    enum err e = hold_open(l->m, r->account + 1, need, &l->hold, available);
    r->asks_nusd = 0;
    if (!e) {
        r->state = REQUEST_HELD;
        r->hold_nusd = need;
    }
    if (e == ERR_NO_FUNDS || e == ERR_FUNDS_RESERVED)
        happened(e == ERR_NO_FUNDS ? EVENT_NO_FUNDS : EVENT_RESERVED);
    trace("request %d: hold of %lld on account %d: %s", (int)(r - requests), (long long)need,
          r->account + 1, e ? err_name(e) : "ok");
    return e;
}

/* What cannot be paid in full is asked for as far as it can. */
static enum err ask(struct life *l)
{
    int64_t available = 0,
            need = chance(world.free) ? 0 : 1 + dice(dice(4) ? NEED_SMALL : NEED_LARGE);
    enum err e = open_hold(l, need, &available);
    if (e == ERR_NO_FUNDS && available > need && !world.had_failover &&
        !l->r->process->is_excused[l->r->account])
        fail("request %d: %lld is refused and %lld is there", (int)(l->r - requests),
             (long long)need, (long long)available);
    if (e == ERR_NO_FUNDS && available > 0 && dice(2))
        e = open_hold(l, available, NULL);
    return e;
}

static void fill_row(struct life *l)
{
    struct usage_row *row = &l->row;
    *row = (struct usage_row){
        .account_id = l->r->account + 1,
        .api_key_id = 1,
        .group_id = 1,
        .endpoint = "e",
        .model = "m",
        .client_format = "c",
        .status = USAGE_INTERRUPTED,
        .hold_nusd = l->hold.amount_nusd,
        .first_byte_ms = -1,
        .created_wall_ms = world.mono_ms,
        .price_lines = "[]",
    };
    oracle_id(l->r, row->request_id);
}

static enum err admit(struct life *l)
{
    int faults = l->r->process->faults;
    fill_row(l);
    enum err e = journal_admit(l->m, &l->row, &l->slot);
    trace("request %d: admission: %s", (int)(l->r - requests), e ? err_name(e) : "ok");
    if (!e) {
        l->r->state = REQUEST_ADMITTED;
        return e;
    }
    l->r->state = REQUEST_REFUSED;
    l->r->was_written = l->r->process->faults != faults;
    hold_cancel(l->m, &l->hold);
    return e;
}

static void note(struct life *l)
{
    struct request *r = l->r;
    if (r->notes_n == NOTES_MAX)
        return;
    int faults = r->process->faults;
    l->row.hold_nusd = r->hold_nusd;
    l->row.cost_nusd = dice((uint32_t)r->hold_nusd + 1);
    oracle_note(r, l->row.cost_nusd);
    journal_note(l->m, &l->slot, &l->row);
    oracle_noted(r, r->process->faults == faults);
}

static void extend(struct life *l)
{
    struct request *r = l->r;
    int64_t more = 1 + dice(NEED_SMALL);
    r->asks_nusd = more;
    enum err e = hold_extend(l->m, &l->hold, more);
    r->asks_nusd = 0;
    if (!e)
        r->hold_nusd += more;
    trace("request %d: %lld more: %s", (int)(r - requests), (long long)more,
          e ? err_name(e) : "ok");
}

static void stream(struct life *l)
{
    while (!world.is_calm && dice(3)) {
        fiber_yield("stream");
        uint32_t what = dice(4);
        if (what == 0)
            extend(l);
        else if (what == 1)
            note(l);
    }
}

static const struct segment *segment_of(const struct request *r)
{
    const struct segment *s = r->process->m->journal.first;
    while (s && s->number != r->segment)
        s = s->next;
    return s;
}

static void end(struct life *l)
{
    struct request *r = l->r;
    r->cost_nusd = dice(6) ? dice((uint32_t)r->hold_nusd + 1) : r->hold_nusd;
    l->row.status = USAGE_OK;
    l->row.http_status = 200;
    l->row.hold_nusd = r->hold_nusd;
    l->row.cost_nusd = r->cost_nusd;
    r->state = REQUEST_CLOSING;
    trace("request %d: ends, cost %lld of %lld", (int)(r - requests), (long long)r->cost_nusd,
          (long long)r->hold_nusd);
    journal_close(l->m, &l->slot, &l->row);
    r->state = REQUEST_CLOSED;
    if (!r->segment && !r->is_in_slot) {
        /* It could be written nowhere: an older note may be charged. */
        r->may_interrupt = true;
        oracle_excuse(r->process, r->account);
    }
    const struct segment *s = segment_of(r);
    if (world.config.journal_sync_request && r->segment && (!s || !s->is_suspect))
        r->is_promised = true;
    if (dice(2))
        fiber_yield("closed");
    r->state = REQUEST_SETTLED;
    hold_settle(l->m, &l->hold, r->cost_nusd);
}

static void live(void *arg)
{
    struct life l = {.r = arg, .m = ((struct request *)arg)->process->m};
    struct process *p = l.r->process;
    l.slot.index = -1;
    if (ask(&l)) {
        l.r->state = REQUEST_REFUSED;
    } else if (dice(15) == 0) {
        l.r->state = REQUEST_REFUSED;
        hold_cancel(l.m, &l.hold);
    } else if (admit(&l) == ERR_OK) {
        stream(&l);
        end(&l);
    }
    p->running--;
}

void request_start(struct process *p)
{
    struct request *r = p->running < RUNNING_MAX ? oracle_request(p, (int)dice(ACCOUNTS_N)) : NULL;
    if (!r)
        return;
    r->is_poison = chance(world.poison);
    p->running++;
    fiber_resume(fiber_start(p, "request", live, r));
}
