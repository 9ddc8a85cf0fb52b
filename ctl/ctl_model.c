#include "ctl/ctl_sql.h"

#include "base/amount.h"
#include "base/buf.h"
#include "db/db.h"
#include "db/litellm.h"
#include "db/proposal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX     ((size_t)64 << 20)
#define ARENA_MAX    ((size_t)256 << 20)
#define STATEMENT_MS INT64_C(60000)
#define NOTE_SIZE    128
#define PIECE        65536

const struct ctl_option ctl_model_import_options[] = {
    {"only",     "PATTERNS",   "models to look at: keys of the file, with *, by comma"},
    {"margin",   "MULTIPLIER", "what customers pay of its prices (1)"                 },
    {"status",   "STATUS",     "of models that are new: enabled or disabled"          },
    {"activate", NULL,         "do it without asking"                                 },
    {"yes",      NULL,         "the same"                                             },
    {"dry-run",  NULL,         "only tell"                                            },
    {NULL,       NULL,         NULL                                                   },
};

/* ---- what it was called with ---- */

static enum ctl_exit read_options(const struct ctl_args *args, struct proposal_options *o)
{
    const char *margin = ctl_value(args, "margin"), *status = ctl_value(args, "status");
    o->margin_ppm = MONEY_PPM_PER_ONE;
    if (margin && amount_parse_millionths(slice_of(margin), &o->margin_ppm)) {
        (void)ctl_fail("--margin: expected a multiplier such as 1.2, got %s", margin);
        return CTL_USAGE;
    }
    o->status = status ? status : "enabled";
    if (strcmp(o->status, "enabled") != 0 && strcmp(o->status, "disabled") != 0) {
        (void)ctl_fail("--status: expected enabled or disabled, got %s", status);
        return CTL_USAGE;
    }
    return CTL_OK;
}

static enum ctl_exit read_file(const char *path, struct buf *text)
{
    FILE *f = fopen(path, "re");
    enum err e = ERR_OK;
    if (!f)
        return ctl_fail("%s: %s", path, strerror(errno));
    for (size_t n = 1; !e && n;) {
        char *room;
        e = buf_reserve(text, PIECE, &room);
        n = e ? 0 : fread(room, 1, PIECE, f);
        if (!e)
            buf_commit(text, n);
    }
    bool is_broken = ferror(f);
    fclose(f);
    if (is_broken)
        return ctl_fail("%s: cannot be read", path);
    return e ? ctl_fail("%s: %s", path, e == ERR_FULL ? "is too large" : err_name(e)) : CTL_OK;
}

static void tell_refused(void *arg, const char *path, const char *text)
{
    (void)arg;
    fprintf(stderr, "aipassctl: refused: %s: %s\n", path, text);
}

/* ---- looking at it ---- */

static void print_summary(const struct proposal *p)
{
    const struct litellm_table *t = p->table;
    printf("%zu models of the file: %zu new, %zu with other limits; prices: %zu new, %zu changed; "
           "%zu capabilities changed\n",
           t->models_n, p->models_added, p->models_changed, p->prices_added, p->prices_changed,
           p->capabilities_changed);
    if (p->steep)
        printf("%zu prices are marked (!)\n", p->steep);
    if (t->unpriced_n || t->unfit_n)
        printf(
            "left out: %zu without a price for tokens, %zu that are neither chat nor embedding\n",
            t->unpriced_n, t->unfit_n);
    if (t->refused_n)
        printf("refused: %zu\n", t->refused_n);
}

static bool is_confirmed(const struct ctl_args *args)
{
    char answer[8] = "";
    if (ctl_value(args, "dry-run")) {
        ctl_say("dry run: nothing was changed");
        return false;
    }
    if (ctl_value(args, "activate") || ctl_value(args, "yes"))
        return true;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        puts("nothing was changed; --activate does it");
        return false;
    }
    printf("Activate? [y/N] ");
    fflush(stdout);
    if (!fgets(answer, sizeof(answer), stdin))
        return false;
    return answer[0] == 'y' || answer[0] == 'Y';
}

static void show_progress(void *arg, size_t done)
{
    ctl_progress_step(arg, (long long)done);
}

static enum ctl_exit propose(const struct ctl_args *args, struct db *db,
                             const struct litellm_table *table, struct proposal_options *o)
{
    static struct ctl_progress progress; /* o keeps its address */
    struct proposal p;
    enum ctl_exit result = CTL_OK;
    o->on_model = show_progress;
    o->arg = &progress;
    ctl_progress_begin(&progress, "models", (long long)table->models_n);
    enum err e = proposal_make(&p, db, table, o);
    ctl_progress_end(&progress);
    if (e == ERR_RANGE)
        result = ctl_fail("--margin: a price becomes larger than an amount can be");
    else if (e)
        result = ctl_fail("model import: %s", err_name(e));
    if (!e) {
        if (p.text.n)
            fwrite(p.text.p, 1, p.text.n, stdout);
        print_summary(&p);
    }
    if (!e && !proposal_is_empty(&p) && is_confirmed(args)) {
        ctl_progress_begin(&progress, "models", (long long)table->models_n);
        e = proposal_activate(&p, db);
        ctl_progress_end(&progress);
        if (e == ERR_BUSY)
            result = ctl_fail("something was changed meanwhile: look again");
        else if (e)
            result = ctl_fail("model import: %s", err_name(e));
        else
            puts("activated");
    }
    proposal_clear(&p);
    return result;
}

/* ---- the command ---- */

static enum ctl_exit import(const struct ctl_args *args, struct db *db, struct slice text,
                            struct proposal_options *o)
{
    struct arena *arena = arena_new(ARENA_MAX);
    struct litellm_table table;
    struct litellm_options options = {.only = ctl_value(args, "only"), .tell = tell_refused};
    size_t at = 0;
    enum err e = arena ? litellm_read(text, arena, &options, &table, &at) : ERR_MEMORY;
    enum ctl_exit result;
    if (e == ERR_FORMAT)
        result =
            ctl_fail("%s: byte %zu: this is not the JSON of LiteLLM's table", args->words[0], at);
    else
        result = e ? ctl_fail("%s: %s", args->words[0], err_name(e)) : propose(args, db, &table, o);
    if (!e && !result && table.refused_n)
        result = CTL_FAILED;
    arena_free(arena);
    return result;
}

enum ctl_exit ctl_model_import(const struct ctl_args *args)
{
    struct proposal_options o = {.margin_ppm = 0};
    char note[NOTE_SIZE];
    enum ctl_exit result = read_options(args, &o);
    if (result)
        return result;
    const char *slash = strrchr(args->words[0], '/');
    (void)snprintf(note, sizeof(note), "imported from %s", slash ? slash + 1 : args->words[0]);
    o.note = note;
    struct config *config = ctl_config(args);
    if (!config)
        return CTL_FAILED;
    struct buf text;
    buf_init(&text, FILE_MAX);
    struct db *db = db_new(config);
    if (db)
        db_set_read_timeout(db, STATEMENT_MS);
    result = db ? read_file(args->words[0], &text)
                : ctl_fail("model import: %s", err_name(ERR_MEMORY));
    if (!result)
        result = import(args, db, buf_slice(&text), &o);
    buf_clear(&text);
    db_free(db);
    config_free(config);
    return result;
}
