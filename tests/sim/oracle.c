#include "tests/sim/oracle.h"

#include "tests/sim/model_db.h"
#include "tests/sim/model_disk.h"

#include <stdio.h>
#include <string.h>

#define ID_FORMAT "0REQ0000000000000000%06d"
#define ID_PREFIX "0REQ"
#define ID_AT     20 /* where its number begins */
#define CRC_CHARS 9  /* with the TAB */

struct request requests[REQUESTS_MAX];
int requests_n;

void oracle_begin(void)
{
    requests_n = 0;
}

/* ---- requests ---- */

struct request *oracle_request(struct process *p, int account)
{
    if (requests_n == REQUESTS_MAX)
        return NULL;
    struct request *r = &requests[requests_n++];
    *r = (struct request){.process = p, .account = account, .notes_n = 1};
    return r;
}

void oracle_id(const struct request *r, char id[ULID_SIZE])
{
    (void)snprintf(id, ULID_SIZE, ID_FORMAT, (int)(r - requests));
}

struct request *oracle_find(const char *id)
{
    int n = 0;
    if (strncmp(id, ID_PREFIX, strlen(ID_PREFIX)) != 0)
        return NULL;
    for (int i = ID_AT; i < ULID_CHARS; i++)
        n = n * 10 + (id[i] - '0');
    return n >= 0 && n < requests_n ? &requests[n] : NULL;
}

void oracle_note(struct request *r, int64_t cost_nusd)
{
    if (r->notes_n < NOTES_MAX)
        r->notes_nusd[r->notes_n++] = cost_nusd;
}

void oracle_noted(struct request *r, bool is_sure)
{
    if (is_sure)
        r->notes_from = r->notes_n - 1;
}

/* The most that its slot may tell. */
static int64_t most_noted(const struct request *r)
{
    int64_t most = 0;
    for (int i = r->notes_from; i < r->notes_n; i++)
        most = r->notes_nusd[i] > most ? r->notes_nusd[i] : most;
    return most;
}

/* ---- what the models tell ---- */

void oracle_line(const char *p, size_t n, uint64_t segment)
{
    struct request *r = n > CRC_CHARS + ULID_CHARS ? oracle_find(p + CRC_CHARS) : NULL;
    if (!r)
        fail("a line of no request is written");
    r->segment = segment;
}

void oracle_slot(const char *p, size_t n)
{
    struct request *r = n > CRC_CHARS + ULID_CHARS ? oracle_find(p + CRC_CHARS) : NULL;
    if (r && r->state == REQUEST_CLOSING)
        r->is_in_slot = true;
}

void oracle_torn_slot(const char *p, size_t n)
{
    struct request *r = n > CRC_CHARS + ULID_CHARS ? oracle_find(p + CRC_CHARS) : NULL;
    if (r)
        r->may_vanish = true; /* an admin finds it in spool/rejected */
    happened(EVENT_TORN_SLOT);
}

/* The last line of spool/rejected, of which a part stood there before. */
static struct slice last_rejected(int host)
{
    size_t n = 0;
    const char *p = model_disk_rejected(host, &n);
    size_t at = n - 1;
    while (at && p[at - 1] != '\n')
        at--;
    return (struct slice){p + at, n - at};
}

void oracle_rejected(int host, const char *p, size_t n)
{
    static struct usage_row row;
    happened(EVENT_REJECTED);
    if (n == 1) {
        struct slice line = last_rejected(host);
        p = line.p;
        n = line.n;
    }
    if (usage_row_decode((struct slice){p, n}, &row)) {
        if (!world.had_power_cut[host] && !world.had_torn[host])
            fail("a line is rejected as unreadable: %.*s", (int)n, p);
        return;
    }
    struct request *r = oracle_find(row.request_id);
    /* A torn slot that lacked its LF only, which is added here. */
    bool is_slot = row.status == USAGE_INTERRUPTED && world.had_power_cut[host];
    if (r && (r->rows ? is_slot && !r->is_poison : r->may_vanish))
        return;
    if (!r || !r->is_poison || r->rows)
        fail("request %d is rejected without a reason", r ? (int)(r - requests) : -1);
    r->is_rejected = true;
}

static void check_interrupted(const struct request *r, int64_t cost_nusd)
{
    int i = r->notes_from;
    while (i < r->notes_n && r->notes_nusd[i] != cost_nusd)
        i++;
    if (i == r->notes_n)
        fail("request %d is charged %lld, which its slot did not tell", (int)(r - requests),
             (long long)cost_nusd);
    if (r->state >= REQUEST_CLOSED && r->state != REQUEST_REFUSED && !r->may_interrupt)
        fail("request %d is called interrupted, and had ended", (int)(r - requests));
}

void oracle_row(struct request *r, int64_t cost_nusd, enum usage_status status)
{
    int number = (int)(r - requests);
    trace("  request %d has its row: %s, %lld", number, usage_status_name(status),
          (long long)cost_nusd);
    if (r->was_lost)
        happened(EVENT_LOST_ROW_AGAIN);
    /* Nobody counted on it: its cost was not among what is needed. */
    if (r->was_lost && r->may_vanish)
        r->process->excess_nusd[r->account] += cost_nusd;
    if (r->rows++)
        fail("request %d has a second row", number);
    r->row_cost_nusd = cost_nusd;
    if (r->state == REQUEST_ASKS || (r->state == REQUEST_REFUSED && !r->was_written))
        fail("request %d has a row and was not admitted", number);
    if (cost_nusd > r->hold_nusd)
        fail("request %d is charged %lld and held %lld", number, (long long)cost_nusd,
             (long long)r->hold_nusd);
    if (status == USAGE_INTERRUPTED)
        happened(EVENT_INTERRUPTED);
    if (status == USAGE_INTERRUPTED)
        check_interrupted(r, cost_nusd);
    else if (r->state < REQUEST_CLOSING || r->state == REQUEST_REFUSED || cost_nusd != r->cost_nusd)
        fail("request %d is charged %lld and cost %lld", number, (long long)cost_nusd,
             (long long)r->cost_nusd);
}

void oracle_row_lost(struct request *r, bool is_kept)
{
    trace("  request %d lost its row%s", (int)(r - requests), is_kept ? "" : " for good");
    r->rows = 0;
    r->was_lost = true;
    happened(EVENT_LOST_ROW);
    if (!is_kept || world.had_power_cut[r->process->host])
        r->may_vanish = true;
}

void oracle_death(const struct process *p)
{
    for (const struct segment *s = p->m->journal.first; s; s = s->next) {
        if ((s->state != SEGMENT_CLOSED && s->state != SEGMENT_FLUSHED) || s->is_suspect)
            continue;
        for (int i = 0; i < requests_n; i++) {
            if (requests[i].process == p && requests[i].segment == s->number &&
                requests[i].state >= REQUEST_CLOSED)
                requests[i].is_promised = true;
        }
    }
}

void oracle_power_cut(int host)
{
    world.had_power_cut[host] = true;
    for (int i = 0; i < requests_n; i++) {
        struct request *r = &requests[i];
        if (r->process->host != host)
            continue;
        /* Lines that stand there are not written again, though a sync of them has failed. */
        if (r->is_rejected && world.had_reject_unsynced[host])
            r->may_vanish = true;
        if (r->is_promised)
            continue;
        r->may_interrupt = true;
        r->may_vanish = r->may_vanish || !r->rows;
        r->notes_from = 0;
    }
}

/* ---- after each step ---- */

struct sums {
    int64_t held, asked;
    int64_t needed; /* of the lease */
};

static struct sums sums[PROCESSES_MAX][ACCOUNTS_N];

static bool is_holding(const struct request *r)
{
    return r->state == REQUEST_HELD || r->state == REQUEST_ADMITTED ||
           r->state == REQUEST_CLOSING || r->state == REQUEST_CLOSED;
}

/* What of its process's lease it counts on. */
static int64_t needed_by(const struct request *r)
{
    bool is_done = r->rows || r->is_rejected, is_open = is_holding(r) && r->process->is_alive;
    /* It will not be admitted any more, or only the rest of its hold is to be freed. */
    if (r->process->is_stopping && (r->state == REQUEST_HELD || is_done))
        return 0;
    if (is_open)
        return r->hold_nusd - (is_done ? r->cost_nusd : 0);
    if (is_done || r->may_vanish || r->state == REQUEST_ASKS || r->state == REQUEST_REFUSED ||
        r->state == REQUEST_HELD)
        return 0;
    if (r->state == REQUEST_SETTLED && r->process->is_alive)
        return r->cost_nusd;
    int64_t most = r->state < REQUEST_CLOSED || r->may_interrupt ? most_noted(r) : 0;
    int64_t cost = r->state >= REQUEST_CLOSING ? r->cost_nusd : 0;
    return cost > most ? cost : most;
}

static void add_up(void)
{
    memset(sums, 0, (size_t)world.processes_n * sizeof(sums[0]));
    for (int i = 0; i < requests_n; i++) {
        const struct request *r = &requests[i];
        struct sums *s = &sums[r->process->number][r->account];
        s->held += is_holding(r) ? r->hold_nusd : 0;
        s->asked += r->asks_nusd;
        s->needed += needed_by(r);
    }
}

/* What counts on a past that is gone, until the process has read its leases anew. */
static void excuse(struct process *p)
{
    for (int a = 0; a < ACCOUNTS_N; a++) {
        const struct model_lease *l = &tables.processes[p->number].leases[a];
        const struct sums *s = &sums[p->number][a];
        /* What is asked for may have been granted. */
        int64_t excess = s->needed + s->asked - (l->exists ? l->amount_nusd : 0);
        if (excess > 0)
            oracle_excuse_loss(p, a);
        p->excess_nusd[a] = excess > 0 ? excess : 0;
    }
    p->is_lagging = p->is_alive &&
                    (!model_db_is_connected(p) || p->m->journal.generation != p->generation);
}

void oracle_excuse_loss(struct process *p, int account)
{
    if (!p->is_excused[account])
        p->is_excused[account] = p->is_by_loss[account] = true;
}

void oracle_excuse(struct process *p, int account)
{
    p->is_excused[account] = true;
    p->is_by_loss[account] = false;
}

/* What it needs without a lease may only become less. */
static void check_excess(struct process *p, int account, int64_t amount)
{
    const struct sums *s = &sums[p->number][account];
    if (!p->is_by_loss[account] || p->is_lagging || p->is_stopping || !p->is_alive)
        return;
    /* A row that has grown by a take without an answer is believed by the next operation only. */
    struct lease_account *a = lease_account_find(p->m, account + 1);
    bool in_doubt = a && a->has_doubt;
    if (a)
        lease_account_put(a);
    if (!in_doubt && s->needed - amount > p->excess_nusd[account])
        fail("p%d account %d has leased %lld and needs %lld; it knows what was lost", p->number,
             account + 1, (long long)amount, (long long)s->needed);
    int64_t left = s->needed + s->asked - amount;
    if (in_doubt && left > p->excess_nusd[account])
        p->excess_nusd[account] = left;
    if (left < p->excess_nusd[account])
        p->excess_nusd[account] = left > 0 ? left : 0;
}

void oracle_failover(void)
{
    for (int n = 0; n < world.processes_n; n++)
        world.processes[n].is_lagging = true;
}

static void check_memory(const struct process *p, int account)
{
    struct lease_account *a = lease_account_find(p->m, account + 1);
    const struct sums *s = &sums[p->number][account];
    if (!a)
        return;
    lease_account_put(a);
    if (a->held_nusd < s->held || a->held_nusd > s->held + s->asked)
        fail("p%d account %d holds %lld, its requests %lld", p->number, account + 1,
             (long long)a->held_nusd, (long long)s->held);
    if (a->granted_nusd < 0 || a->spent_nusd < 0 || a->giving_nusd < 0 || a->doubtful_nusd < 0 ||
        a->closing_nusd < 0)
        fail("p%d account %d: granted %lld spent %lld giving %lld doubtful %lld closing %lld",
             p->number, account + 1, (long long)a->granted_nusd, (long long)a->spent_nusd,
             (long long)a->giving_nusd, (long long)a->doubtful_nusd, (long long)a->closing_nusd);
    /* A flush may have read back what a give-back that has not returned, or had no answer, has committed. After a failover costs count as spent again before the lease is read anew. */
    if (lease_free(a) + a->giving_nusd + a->doubtful_nusd < 0 && !p->is_excused[account] &&
        !world.had_failover)
        fail("p%d account %d: free is %lld", p->number, account + 1, (long long)lease_free(a));
}

static void check_account(int account)
{
    struct model_account *a = &tables.accounts[account];
    int64_t leased = 0;
    for (int n = 0; n < world.processes_n; n++) {
        const struct model_lease *l = &tables.processes[n].leases[account];
        struct process *p = &world.processes[n];
        int64_t amount = l->exists ? l->amount_nusd : 0;
        leased += amount;
        if (p->is_alive)
            check_memory(p, account);
        check_excess(p, account, amount);
        if (sums[n][account].needed > amount && !p->is_excused[account])
            fail("p%d account %d has leased %lld and needs %lld", n, account + 1, (long long)amount,
                 (long long)sums[n][account].needed);
    }
    int64_t over = leased > a->balance_nusd ? leased - a->balance_nusd : 0;
    if (over > a->slack_nusd)
        fail("account %d: balance %lld, leases %lld", account + 1, (long long)a->balance_nusd,
             (long long)leased);
    a->slack_nusd = over;
    if (a->used_nusd != a->charged_nusd)
        fail("account %d: usage %lld, ledger %lld", account + 1, (long long)a->used_nusd,
             (long long)a->charged_nusd);
}

void oracle_check(void)
{
    add_up();
    for (int n = 0; n < world.processes_n; n++) {
        if (world.processes[n].is_lagging)
            excuse(&world.processes[n]);
    }
    for (int a = 0; a < ACCOUNTS_N; a++)
        check_account(a);
}

/* ---- in the end ---- */

/* A process that dies between a close line and the end of its slot leaves both, and the database may refuse both: no line may be there twice. */
static int count_rejected(const struct request *r)
{
    static struct usage_row row;
    size_t n = 0;
    const char *p = model_disk_rejected(r->process->host, &n);
    int found = 0, repeated = 0;
    bool seen[2] = {false};
    struct slice rest = {p, n};
    while (rest.n) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t length = end ? (size_t)(end - rest.p) + 1 : rest.n;
        if (usage_row_decode((struct slice){rest.p, length}, &row) == ERR_OK &&
            oracle_find(row.request_id) == r) {
            bool is_interrupted = row.status == USAGE_INTERRUPTED;
            repeated += seen[is_interrupted];
            seen[is_interrupted] = true;
            found++;
        }
        rest.p += length;
        rest.n -= length;
    }
    if (repeated)
        fail("request %d stands more than once in spool/rejected", (int)(r - requests));
    return found;
}

static void check_request(const struct request *r)
{
    int number = (int)(r - requests);
    bool is_admitted = r->state != REQUEST_ASKS && r->state != REQUEST_HELD &&
                       r->state != REQUEST_REFUSED;
    int found = r->is_poison ? count_rejected(r) : 0;
    if (is_admitted && !r->rows && !found && !r->may_vanish)
        fail("request %d (cost %lld, segment %llu) has no row", number, (long long)r->cost_nusd,
             (unsigned long long)r->segment);
}

void oracle_check_end(void)
{
    for (int i = 0; i < requests_n; i++)
        check_request(&requests[i]);
    for (int n = 0; n < world.processes_n; n++) {
        const struct model_process *p = &tables.processes[n];
        if (p->exists)
            fail("p%d is left in processes", n);
        for (int a = 0; a < ACCOUNTS_N; a++) {
            if (p->leases[a].exists)
                fail("p%d is left with a lease on account %d", n, a + 1);
        }
    }
    for (int h = 0; h < HOSTS_N; h++) {
        /* A power cut may leave one whose owner cannot be read; nothing promised is in it, or a request is missed. */
        if (model_disk_directories(h) && !world.had_power_cut[h])
            fail("host %d has %d directories left in its spool", h, model_disk_directories(h));
    }
}
