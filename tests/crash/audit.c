#include "tests/crash/audit.h"

#include "base/clock.h"
#include "db/spool.h"
#include "tests/e2e/http.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"
#include "tests/unit/invariants.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BATCH = 100, VALUES_SIZE = BATCH * 96, NUSD_PER_USD = 1000000000 };

static const char sql_make_table[] =
    "CREATE TABLE crash_seen (request_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin PRIMARY "
    "KEY, account_id BIGINT UNSIGNED, status INT, is_whole BOOLEAN, cost DECIMAL(18,9))";

/* Each counts what breaks a rule among the answers with a request id. */
struct rule {
    const char *name;
    const char *sql;
    bool is_loss;
    bool is_double;
};

/* clang-format off */
static const struct rule rules[] = {
    {"I5 I6: answers without a row",
     "SELECT COUNT(*) FROM crash_seen s LEFT JOIN usage_log u ON u.request_id = s.request_id WHERE s.status = 200 AND u.request_id IS NULL", true, false},
    {"I8: whole answers whose row is not `ok` at their price",
     "SELECT COUNT(*) FROM crash_seen s JOIN usage_log u ON u.request_id = s.request_id WHERE s.is_whole AND (u.status <> 'ok' OR u.cost <> s.cost OR u.shortfall <> 0)", false, false},
    {"I8: rows above what their request costs",
     "SELECT COUNT(*) FROM crash_seen s JOIN usage_log u ON u.request_id = s.request_id WHERE u.cost > s.cost", false, true},
    {"rows of another account",
     "SELECT COUNT(*) FROM crash_seen s JOIN usage_log u ON u.request_id = s.request_id WHERE u.account_id <> s.account_id", false, true},
    {"I9: refused requests with a row",
     "SELECT COUNT(*) FROM crash_seen s JOIN usage_log u ON u.request_id = s.request_id WHERE s.status = 429", false, true},
    {"charged failures",
     "SELECT COUNT(*) FROM crash_seen s JOIN usage_log u ON u.request_id = s.request_id WHERE s.status >= 400 AND u.cost > 0", false, true},
    {"I4: costs that do not recompute",
     "SELECT COUNT(*) FROM v_usage_recomputed WHERE cost + shortfall <> recomputed", false, false},
};
/* clang-format on */

static void broken(struct audit *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void broken(struct audit *a, const char *fmt, ...)
{
    va_list args;
    if (a->broken[0] != 0)
        return;
    va_start(args, fmt);
    vsnprintf(a->broken, sizeof(a->broken), fmt, args);
    va_end(args);
}

void audit_seed(void)
{
    sql_run("%s", sql_make_table);
}

void audit_begin(void)
{
    struct http_reply reply;
    struct http_call call = {
        .port = stack.sims[0].port, .method = "POST", .path = "/_tally/reset", .body = ""};
    http_run(&call, &reply);
    STACK_NEED(reply.status == 200, "POST /_tally/reset: %d %s", reply.status, reply.fault);
    http_reply_clear(&reply);
    sql_run("TRUNCATE TABLE crash_seen");
}

static const char *first_broken(int also)
{
    static char text[AUDIT_TEXT];
    for (const struct invariant *i = invariants; i->sql != NULL; i++) {
        if (i->only_with != 0 && (also & i->only_with) == 0)
            continue;
        const char *found = sql_text("%s", i->sql);
        if (strcmp(found, "NULL") != 0 && *found != 0) {
            snprintf(text, sizeof(text), "%s: %.300s", i->name, found);
            return text;
        }
    }
    return NULL;
}

const char *audit_moment(void)
{
    return first_broken(0);
}

/* ---- what the clients saw ---- */

/* A gateway that dies leaves the web server's own 500, 502 or 503, or a connection that ends. */
static bool is_status_allowed(const struct load_note *n)
{
    if (n->status == 0 || n->status == 200)
        return true;
    if (!n->is_ours)
        return n->status == 500 || n->status == 502 || n->status == 503 || n->status == 504;
    bool may_lack_money = n->who == WHO_TIGHT || n->who == WHO_POOR || n->who == WHO_RACER;
    return n->status == 503 || (n->status == 429 && may_lack_money);
}

static void check_note(struct audit *a, const struct load_note *n)
{
    a->requests++;
    a->whole += n->status == 200 && n->is_whole;
    if (!is_status_allowed(n))
        broken(a, "I11: status %d for %s%s", n->status, load_model(n->who),
               n->is_ours ? "" : ", not by the gateway");
    bool is_error = n->status >= 400;
    if (is_error && !n->is_shaped && (n->is_ours || !stack.is_cgi))
        broken(a, "I11: status %d without the words of the API", n->status);
    if (is_error && n->is_ours && !n->has_retry_after)
        broken(a, "I11: status %d without Retry-After", n->status);
    if (n->status == 200 && n->who == WHO_POOR)
        broken(a, "I9: an account without money was served");
    if (n->status == 200 && !n->is_ours)
        broken(a, "an answer without a request id");
}

static void tell_database(const struct load *l, const struct load_note *notes, size_t notes_n,
                          struct audit *a)
{
    static char values[VALUES_SIZE];
    size_t used = 0;
    int rows = 0;
    int64_t told = 0;
    for (size_t i = 0; i <= notes_n; i++) {
        if (rows == BATCH || (i == notes_n && rows > 0)) {
            sql_run("INSERT IGNORE INTO crash_seen VALUES %s", values);
            rows = 0;
            used = 0;
        }
        if (i == notes_n || !notes[i].is_ours)
            continue;
        const struct load_note *n = &notes[i];
        used += (size_t)snprintf(values + used, sizeof(values) - used,
                                 "%s('%s',%" PRId64 ",%d,%d,%" PRId64 ".%09" PRId64 ")",
                                 rows > 0 ? "," : "", n->id, load_customer(l, n->who)->account_id,
                                 n->status, n->status == 200 && n->is_whole,
                                 n->cost_nusd / NUSD_PER_USD, n->cost_nusd % NUSD_PER_USD);
        rows++;
        told++;
    }
    int64_t kept = sql_int("SELECT COUNT(*) FROM crash_seen");
    if (kept != told)
        broken(a, "I4: %" PRId64 " request ids were given twice", told - kept);
}

static void check_rules(struct audit *a)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        int64_t n = sql_int("%s", rules[i].sql);
        if (n == 0)
            continue;
        a->lost += rules[i].is_loss ? n : 0;
        a->doubled += rules[i].is_double ? n : 0;
        broken(a, "%s: %" PRId64, rules[i].name, n);
    }
}

/* ---- what the provider and the ledger say, for each account ---- */

static int64_t count_asked(const struct load_note *notes, size_t n, enum load_who who)
{
    int64_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += notes[i].who == who;
    return count;
}

static void check_account(const struct load *l, enum load_who who, int64_t asked, struct audit *a)
{
    int64_t id = load_customer(l, who)->account_id;
    const char *name = load_model(who);
    int64_t calls = seen_count(0, http_printf("models.%s", name));
    int64_t rows = sql_int("SELECT COUNT(*) FROM usage_log WHERE account_id = %" PRId64, id);
    int64_t ok = sql_int(
        "SELECT COUNT(*) FROM usage_log WHERE account_id = %" PRId64 " AND status = 'ok'", id);
    int64_t balance_nusd =
        sql_int("SELECT CAST(COALESCE(SUM(amount), 0) * 1000000000 AS SIGNED) FROM ledger "
                "WHERE account_id = %" PRId64,
                id);
    int64_t used_nusd =
        sql_int("SELECT CAST(COALESCE(SUM(cost), 0) * 1000000000 AS SIGNED) FROM usage_log "
                "WHERE account_id = %" PRId64,
                id);
    int64_t drift_nusd = load_recharged(who) - used_nusd - balance_nusd;
    a->calls += calls;
    a->rows += rows;
    a->drift_nusd += drift_nusd < 0 ? -drift_nusd : drift_nusd;
    a->lost += calls > rows ? calls - rows : 0;
    a->doubled += rows > asked ? rows - asked : 0;
    if (calls > rows)
        broken(a, "I6: %s: %" PRId64 " provider calls, %" PRId64 " rows", name, calls, rows);
    if (rows > asked)
        broken(a, "I8: %s: %" PRId64 " requests, %" PRId64 " rows", name, asked, rows);
    if (ok > calls)
        broken(a, "%s: %" PRId64 " rows `ok`, %" PRId64 " provider calls", name, ok, calls);
    if (who == WHO_POOR && calls + rows > 0)
        broken(a, "I9: without money %" PRId64 " calls, %" PRId64 " rows", calls, rows);
    if (drift_nusd != 0)
        broken(a, "%s: a drift of %" PRId64 " nano-USD", name, drift_nusd);
}

/* Who was killed while it made its directory leaves one that holds no more than a name; it is swept later. */
static bool is_unmade(const char *spool, const char *name)
{
    const char *path = http_printf("%s/%s", spool, name);
    struct dirent *entry;
    struct timespec now;
    if (strncmp(name, SPOOL_NEW, strlen(SPOOL_NEW)) != 0)
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t made_ms = ulid_wall_ms(name + strlen(SPOOL_NEW));
    bool is_unmade = made_ms >= 0 && now.tv_sec * 1000 - made_ms < SPOOL_STALE_MS;
    DIR *dir = is_unmade ? opendir(path) : NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        is_unmade = is_unmade &&
                    (entry->d_name[0] == '.' || strcmp(entry->d_name, SPOOL_LOCK) == 0 ||
                     strncmp(entry->d_name, "owner", 5) == 0);
    if (dir != NULL)
        closedir(dir);
    return is_unmade;
}

static void check_spool(const char *path, struct audit *a)
{
    DIR *spool = opendir(path);
    struct dirent *entry;
    if (spool == NULL) {
        broken(a, "no spool directory %s", path);
        return;
    }
    while ((entry = readdir(spool)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !is_unmade(path, entry->d_name))
            broken(a, "I7: left in the spool: %s", entry->d_name);
    closedir(spool);
}

void audit_run(const struct load *l, const char *spool, struct audit *out)
{
    size_t n;
    const struct load_note *notes = load_notes(l, &n);
    for (size_t i = 0; i < n; i++)
        check_note(out, &notes[i]);
    tell_database(l, notes, n, out);
    check_rules(out);
    for (int who = 0; who < WHO_N; who++)
        check_account(l, (enum load_who)who, count_asked(notes, n, (enum load_who)who), out);
    out->interrupted =
        sql_int("SELECT COUNT(*) FROM usage_log WHERE status = 'interrupted' AND account_id >= "
                "%" PRId64,
                load_customer(l, WHO_RICH)->account_id);
    const char *text = first_broken(INVARIANTS_DRAINED | INVARIANTS_PRICED);
    if (text != NULL)
        broken(out, "%s", text);
    check_spool(spool, out);
}
