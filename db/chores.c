#include "db/chores.h"

#include "base/log.h"
#include "db/attempts.h"
#include "db/checkpoint.h"
#include "db/objects.h"
#include "db/partition.h"
#include "db/retention.h"
#include "db/rollup.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STATEMENT_MS INT64_C(600000)
#define RETRY_S      60
#define DENIED_MS    INT64_C(3600000) /* how long a right that was missing is not asked for again */
#define OUTCOME_STOP "stopped before its end"

struct chore {
    const char *name;
    int64_t every_s;
    bool wants_ddl; /* changes tables: a user without that right leaves it to another */
    enum err (*run)(struct chore_run *r);
};

static const struct chore all[] = {
    {"checkpoint",     10,    false, checkpoint_run_busy},
    {"partition",      3600,  true,  partition_run      },
    {"rollup",         300,   false, rollup_run         },
    {"rollup_fresh",   3600,  false, rollup_run_fresh   },
    {"checkpoint_all", 3600,  false, checkpoint_run_all },
    {"rollup_all",     86400, false, rollup_run_all     },
    {"retention",      21600, true,  retention_run      },
    {"objects",        3600,  false, objects_run        },
    {"attempts",       3600,  false, attempts_run       },
};

#define CHORES_N (sizeof(all) / sizeof(all[0]))

struct chores {
    const struct config *config;
    struct db *db; /* while it runs */
    char id[ULID_SIZE];
    int64_t denied_until_ms[CHORES_N];
    atomic_bool is_cancelled;
};

struct chores *chores_new(const struct config *config)
{
    struct chores *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->config = config;
    ulid_make(c->id);
    return c;
}

void chores_free(struct chores *c)
{
    free(c);
}

void chores_cancel(struct chores *c)
{
    atomic_store(&c->is_cancelled, true);
}

enum err chore_go_on(struct chore_run *r)
{
    return atomic_load(&r->chores->is_cancelled) ? ERR_BUSY : leader_renew(&r->leader);
}

void chore_say(struct chore_run *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(r->outcome, sizeof(r->outcome), fmt, args);
    va_end(args);
}

/* When the task is due again; below 0: it stays due, for another or for the next run. */
static int64_t next_after(const struct chore *chore, enum err e)
{
    if (!e)
        return chore->every_s;
    if (e == ERR_BUSY || e == ERR_FORBIDDEN)
        return -1;
    return e == ERR_FULL ? chore->every_s : RETRY_S; /* only an admin can help */
}

/* ERR_OK: done. ERR_BUSY: not ours, or not to its end. ERR_FORBIDDEN: the right is missing. */
static enum err run_one(struct chores *c, const struct chore *chore, const struct chores_options *o)
{
    struct chore_run r = {.chores = c, .db = c->db, .may_reorganize = o->may_reorganize};
    enum err e = leader_take(&r.leader, c->db, chore->name, c->id, o->even_early);
    if (e)
        return e;
    int64_t start_ms = clock_mono_ms();
    e = chore->run(&r);
    if (!r.outcome[0])
        chore_say(&r, "%s", !e ? "nothing to do" : e == ERR_BUSY ? OUTCOME_STOP : err_name(e));
    int64_t took_ms = clock_mono_ms() - start_ms;
    enum err told = leader_done(&r.leader, next_after(chore, e), !e, r.outcome);
    if (told)
        log_info("upkeep_lost", "task=%s error=%s", chore->name, err_name(told));
    if (e && e != ERR_BUSY && e != ERR_FORBIDDEN)
        log_warn("upkeep_failed", "task=%s error=%s outcome=%s", chore->name, err_name(e),
                 r.outcome);
    else
        log_debug("upkeep", "task=%s ms=%lld outcome=%s", chore->name, (long long)took_ms,
                  r.outcome);
    if (o->tell)
        fprintf(o->tell, "%-15s %6lld ms  %s\n", chore->name, (long long)took_ms, r.outcome);
    return e;
}

static enum err run_due(struct chores *c, const struct chores_options *o, int *failed)
{
    bool any = o->even_early;
    enum err e = any ? ERR_OK : leader_find_due(c->db, &any);
    for (size_t i = 0; !e && any && i < CHORES_N; i++) {
        int64_t now = clock_mono_ms();
        if (atomic_load(&c->is_cancelled))
            break;
        if (all[i].wants_ddl && now < c->denied_until_ms[i])
            continue;
        if (o->on_task)
            o->on_task(o->arg, all[i].name, (int)i, (int)CHORES_N);
        enum err one = run_one(c, &all[i], o);
        if (one == ERR_FORBIDDEN)
            c->denied_until_ms[i] = now + DENIED_MS;
        if (one == ERR_DB_DOWN)
            e = one;
        else if (one && one != ERR_BUSY)
            ++*failed;
    }
    return e;
}

enum err chores_run(struct chores *c, const struct chores_options *o, int *failed)
{
    *failed = 0;
    c->db = db_new(c->config);
    if (!c->db)
        return ERR_MEMORY;
    db_set_read_timeout(c->db, STATEMENT_MS);
    enum err e = run_due(c, o, failed);
    db_free(c->db);
    c->db = NULL;
    return e;
}
