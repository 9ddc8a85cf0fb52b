#include "ctl/ctl_output.h"

#include "base/clock.h"
#include "base/json.h"
#include "db/reconcile.h"

#include <stdio.h>

#define STATEMENT_MS INT64_C(600000)
#define OUTPUT_MAX   ((size_t)16 << 20)

const struct ctl_option ctl_ledger_check_options[] = {
    {"json",    NULL, "print JSON"                            },
    {"verbose", NULL, "tell each check and its time on stderr"},
    {NULL,      NULL, NULL                                    },
};

struct report {
    bool is_json;
    bool is_failed; /* no memory */
    int differences;
    struct json_object *current; /* the differences of the check that runs */
};

/* TSV: texts of ours and of the database's own numbers, without tabs. */
static void print_line(const struct reconcile_difference *d)
{
    printf("%s\t%lld\t%s\t%s\t%s\n", d->check->name, (long long)d->account_id, d->subject,
           d->expected, d->found);
}

static enum err add_object(struct json_object *list, const struct reconcile_difference *d)
{
    struct json_object *o = json_object_new_object();
    if (!o)
        return ERR_MEMORY;
    enum err e = json_add_i64(o, "account_id", d->account_id);
    if (!e)
        e = json_add_string(o, "subject", d->subject);
    if (!e)
        e = json_add_string(o, "expected", d->expected);
    if (!e)
        e = json_add_string(o, "found", d->found);
    if (e || json_object_array_add(list, o)) {
        json_object_put(o);
        return ERR_MEMORY;
    }
    return ERR_OK;
}

static void tell(void *arg, const struct reconcile_difference *d)
{
    struct report *r = arg;
    if (!r->is_json) {
        if (!r->differences++)
            puts("check\taccount_id\tsubject\texpected\tfound");
        print_line(d);
        return;
    }
    r->differences++;
    r->is_failed |= add_object(r->current, d) != ERR_OK;
}

/* {"ok": ..., "differences": {"usage": [...], ...}} */
static enum err run_checks(struct db *db, struct report *r, struct json_object *by_check,
                           bool is_verbose)
{
    struct ctl_progress progress;
    enum err e = ERR_OK;
    long long total = 0, done = 0;
    while (reconcile_checks[total].name)
        total++;
    ctl_progress_begin(&progress, "checks", total);
    for (const struct reconcile_check *c = reconcile_checks; !e && c->name; c++) {
        int n = 0;
        ctl_progress_now(&progress, done++, c->text);
        int64_t start_ms = clock_mono_ms();
        r->current = json_object_new_array();
        if (!r->current)
            return ERR_MEMORY;
        e = reconcile_run(db, c, tell, r, &n);
        enum err added = json_add_take(by_check, c->name, r->current);
        ctl_progress_end(&progress);
        if (is_verbose)
            fprintf(stderr, "%-12s %7lld ms  %s: %s%s\n", c->name,
                    (long long)(clock_mono_ms() - start_ms), c->text,
                    e   ? err_name(e)
                    : n ? "NO"
                        : "yes",
                    n == RECONCILE_MAX ? ", and more" : "");
        if (!e)
            e = added;
    }
    return e || !r->is_failed ? e : ERR_MEMORY;
}

static enum err print_json(struct json_object *by_check, const struct report *r)
{
    struct json_object *o = json_object_new_object();
    struct buf text;
    buf_init(&text, OUTPUT_MAX);
    enum err e = o ? json_add_bool(o, "ok", !r->differences) : ERR_MEMORY;
    if (!e)
        e = json_add_take(o, "differences", json_object_get(by_check));
    if (!e)
        e = json_print(o, &text);
    if (!e)
        puts(text.p);
    json_object_put(o);
    buf_clear(&text);
    return e;
}

/* A month that is being dropped is in no sum: what was found says nothing. */
static enum err check(struct db *db, const struct ctl_args *args, struct report *r)
{
    bool before = false, after = false;
    struct json_object *by_check = json_object_new_object();
    enum err e = by_check ? reconcile_is_dropping(db, &before) : ERR_MEMORY;
    if (!e)
        e = run_checks(db, r, by_check, ctl_value(args, "verbose"));
    if (!e)
        e = reconcile_is_dropping(db, &after);
    if (!e && r->is_json)
        e = print_json(by_check, r);
    else if (!e && !r->differences)
        puts("OK");
    json_object_put(by_check);
    if (!e && r->differences && (before || after)) {
        fputs("aipassctl: a month of usage_log is being dropped: check again after aipassctl "
              "upkeep\n",
              stderr);
        e = ERR_BUSY;
    }
    return e;
}

enum ctl_exit ctl_ledger_check(const struct ctl_args *args)
{
    struct report r = {.is_json = ctl_value(args, "json")};
    struct config *config = ctl_config(args);
    if (!config)
        return CTL_NOT_CHECKED;
    struct db *db = db_new(config);
    enum err e = ERR_MEMORY;
    if (db) {
        db_set_read_timeout(db, STATEMENT_MS);
        e = check(db, args, &r);
    }
    db_free(db);
    config_free(config);
    if (e) {
        (void)ctl_fail("ledger check: %s", err_name(e));
        return CTL_NOT_CHECKED;
    }
    return r.differences ? CTL_DIFFERENT : CTL_OK;
}
