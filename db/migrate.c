#include "db/migrate.h"

#include "base/clock.h"
#include "base/hash.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOCK_WAIT_MS  600000
#define LOCK_LOOK_MS  200
#define RENEW_EVERY_S 15 /* the lock lasts 60 s */

/* One run. */
struct runner {
    struct db *db;
    struct db_conn *conn;
    enum migrate_mode mode;
    FILE *out;
    char token[ULID_SIZE]; /* says whose lock it is */
    int applied;

    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool has_ended; /* under lock */
};

/* ---- what is recorded ---- */

static const char sql_table_exists[] =
    "SELECT DATABASE(), (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = "
    "DATABASE() AND table_name = 'schema_migrations')";

/* ERR_CONFIG: no database is chosen. */
static enum err read_table_exists(struct db_conn *c, bool *exists)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_table_exists, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (e)
        return e;
    if (db_col_is_null(s, 0))
        return ERR_CONFIG;
    *exists = db_col_i64(s, 1) > 0;
    return ERR_OK;
}

static const char sql_checksum[] =
    "SELECT checksum FROM schema_migrations WHERE version = ? AND (version > 0 OR name = ?)";

/* *checksum gets "" when the file was not applied yet. checksum: SHA256_HEX_SIZE. */
static enum err read_checksum(struct db_conn *c, const struct migration *m, char *checksum)
{
    struct db_value params[] = {DB_INT(m->version), DB_STRZ(m->name)};
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_checksum, params, 2, &s);
    if (e)
        return e;
    checksum[0] = '\0';
    e = db_next(s);
    if (!e)
        slice_copy_z(checksum, SHA256_HEX_SIZE, db_col_text(s, 0));
    return e == ERR_END ? ERR_OK : e;
}

static const char sql_newest[] = "SELECT COALESCE(MAX(version), 0) FROM schema_migrations";

static enum err read_newest(struct db_conn *c, int64_t *version)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_newest, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *version = db_col_i64(s, 0);
    return e;
}

static void checksum_of(const struct migration *m, char *hex)
{
    uint8_t hash[SHA256_BYTES];
    hash_sha256(slice_of(m->sql), hash);
    hash_hex(hex, hash, SHA256_BYTES);
}

static int newest_known(void)
{
    int newest = 0;
    for (const struct migration *m = migrations; m->sql; m++)
        newest = m->version > newest ? m->version : newest;
    return newest;
}

/* ---- the lock ---- */

static const char sql_create[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    " version    INT NOT NULL COMMENT 'Number of the file; 0: an optional file, or the lock',"
    " name       VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'What the "
    "file does; lock: the row that a runner takes',"
    " checksum   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SHA-256 of "
    "the file; lock: who holds it',"
    " applied_at DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC; lock: when it ends by "
    "itself',"
    " PRIMARY KEY (version, name)"
    ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Which files of the schema were applied'";
static const char sql_lock_row[] =
    "INSERT IGNORE INTO schema_migrations (version, name, checksum, applied_at) VALUES (0, 'lock', "
    "'', UTC_TIMESTAMP(3) - INTERVAL 1 SECOND)";
static const char sql_lock[] =
    "UPDATE schema_migrations SET checksum = ?, applied_at = UTC_TIMESTAMP(3) + INTERVAL 60 SECOND"
    " WHERE version = 0 AND name = 'lock' AND applied_at < UTC_TIMESTAMP(3)";
static const char sql_renew[] =
    "UPDATE schema_migrations SET applied_at = UTC_TIMESTAMP(3) + INTERVAL 60 SECOND WHERE version "
    "= 0 AND name = 'lock' AND checksum = ?";
static const char sql_unlock[] =
    "UPDATE schema_migrations SET checksum = '', applied_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND"
    " WHERE version = 0 AND name = 'lock' AND checksum = ?";

static void sleep_ms(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}

static enum err lock_take(struct runner *r)
{
    struct db_value token = DB_STRZ(r->token);
    int64_t end = clock_mono_ms() + LOCK_WAIT_MS;
    bool is_told = false;
    enum err e = db_run(r->conn, sql_create, NULL, 0, NULL);
    if (!e)
        e = db_run(r->conn, sql_lock_row, NULL, 0, NULL);
    while (!e) {
        e = db_run(r->conn, sql_lock, &token, 1, NULL);
        if (e == ERR_DB_RETRY)
            e = ERR_OK;
        else if (!e && db_changed(r->conn))
            return ERR_OK;
        if (!e && !is_told)
            fprintf(r->out, "waiting for another run to end\n");
        is_told = true;
        if (!e && clock_mono_ms() > end)
            e = ERR_BUSY;
        if (!e)
            sleep_ms(LOCK_LOOK_MS);
    }
    return e;
}

/* A statement may take longer than the lock lasts: this thread renews it until the run ends. */
static void *renew_main(void *arg)
{
    struct runner *r = arg;
    struct db_value token = DB_STRZ(r->token);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    pthread_mutex_lock(&r->lock);
    while (!r->has_ended) {
        until.tv_sec += RENEW_EVERY_S;
        if (!pthread_cond_timedwait(&r->ended, &r->lock, &until))
            continue;
        pthread_mutex_unlock(&r->lock);
        struct db_conn *c = NULL;
        if (!db_take(r->db, &c)) {
            enum err e = db_run(c, sql_renew, &token, 1, NULL); /* fails: the next time will do */
            (void)e;
            db_give(r->db, c);
        }
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- the files ---- */

static const char sql_record[] =
    "INSERT INTO schema_migrations (version, name, checksum) VALUES (?, ?, ?)"
    " ON DUPLICATE KEY UPDATE checksum = VALUES(checksum), applied_at = UTC_TIMESTAMP(3)";

static void tell(const struct runner *r, const struct migration *m, const char *what)
{
    if (m->version)
        fprintf(r->out, "%04d %s: %s\n", m->version, m->name, what);
    else
        fprintf(r->out, "%s: %s\n", m->name, what);
}

static bool is_denied(unsigned no)
{
    return no == 1044 || no == 1142 || no == 1227 || no == 1370;
}

static enum err apply(struct runner *r, const struct migration *m, const char *checksum)
{
    char *failed_at = NULL;
    enum err e = db_exec_script(r->conn, m->sql, &failed_at);
    if (e == ERR_DB && !m->version && is_denied(db_last_errno(r->conn))) {
        tell(r, m, "skipped, this user may not create views; they are optional");
        free(failed_at);
        return ERR_OK;
    }
    if (e) {
        tell(r, m, "FAILED");
        fprintf(r->out, "%u %s\nin: %s\n", db_last_errno(r->conn), db_last_text(r->conn),
                failed_at ? failed_at : "");
        free(failed_at);
        return e;
    }
    struct db_value params[] = {DB_INT(m->version), DB_STRZ(m->name), DB_STRZ(checksum)};
    e = db_run(r->conn, sql_record, params, 3, NULL);
    if (e) {
        tell(r, m, "applied, but that could not be recorded");
        return e;
    }
    tell(r, m, "applied");
    r->applied++;
    return ERR_OK;
}

static enum err refuse_newer(struct runner *r)
{
    int64_t newest = 0;
    enum err e = read_newest(r->conn, &newest);
    if (!e && newest > newest_known()) {
        fprintf(r->out,
                "refused: the database has version %lld, this program knows %d; use the newer "
                "program\n",
                (long long)newest, newest_known());
        return ERR_FORMAT;
    }
    return e;
}

/* is_recorded: schema_migrations exists. */
static enum err one_file(struct runner *r, const struct migration *m, bool is_recorded)
{
    char want[SHA256_HEX_SIZE], have[SHA256_HEX_SIZE] = "";
    checksum_of(m, want);
    enum err e = is_recorded ? read_checksum(r->conn, m, have) : ERR_OK;
    if (e || !strcmp(want, have))
        return e;
    if (have[0] && m->version) {
        tell(r, m,
             "refused: it was applied in another form; a file that was applied is never changed");
        return ERR_FORMAT;
    }
    if (r->mode == MIGRATE_APPLY)
        return apply(r, m, want);
    tell(r, m, "would be applied");
    r->applied++;
    return ERR_OK;
}

static enum err all_files(struct runner *r, bool is_recorded)
{
    enum err e = is_recorded ? refuse_newer(r) : ERR_OK;
    for (const struct migration *m = migrations; m->sql && !e; m++)
        e = one_file(r, m, is_recorded);
    return e;
}

static enum err run_locked(struct runner *r)
{
    pthread_t renewer;
    struct db_value token = DB_STRZ(r->token);
    enum err e = lock_take(r);
    if (e) {
        fprintf(r->out, "the lock of schema_migrations could not be taken: %s\n", err_name(e));
        return e;
    }
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->ended, NULL);
    bool has_renewer = !pthread_create(&renewer, NULL, renew_main, r);
    e = all_files(r, true);
    if (has_renewer) {
        pthread_mutex_lock(&r->lock);
        r->has_ended = true;
        pthread_cond_signal(&r->ended);
        pthread_mutex_unlock(&r->lock);
        pthread_join(renewer, NULL);
    }
    enum err unlocked = db_run(r->conn, sql_unlock, &token, 1, NULL);
    (void)unlocked; /* it ends by itself */
    pthread_cond_destroy(&r->ended);
    pthread_mutex_destroy(&r->lock);
    return e;
}

enum err migrate_run(struct db *db, enum migrate_mode mode, FILE *out, int *applied)
{
    struct runner r = {.db = db, .mode = mode, .out = out};
    bool is_recorded = false;
    ulid_make(r.token);
    enum err e = db_take(db, &r.conn);
    if (e) {
        fprintf(out, "no connection to the database\n");
        return e;
    }
    e = read_table_exists(r.conn, &is_recorded);
    if (e == ERR_CONFIG)
        fprintf(out, "no database is chosen: add \"database = NAME\" to the option file\n");
    else if (!e)
        e = mode == MIGRATE_APPLY ? run_locked(&r) : all_files(&r, is_recorded);
    db_give(db, r.conn);
    if (!e) {
        *applied = r.applied;
        fprintf(out, "%s: %d\n",
                mode == MIGRATE_APPLY ? "the schema is up to date; files applied"
                                      : "nothing was changed; files to apply",
                r.applied);
    }
    return e;
}

/* Names and checksums hold no quotes. The table is made by the first file; every other finds it. */
enum err migrate_write(const struct migration *m, FILE *out)
{
    char checksum[SHA256_HEX_SIZE];
    checksum_of(m, checksum);
    fputs(m->sql, out);
    fputs("\n-- Tells the gateway and aipassctl migrate that this file was applied.\n", out);
    if (m == migrations)
        fprintf(out, "%s;\n", sql_create);
    fprintf(out,
            "INSERT INTO schema_migrations (version, name, checksum) VALUES (%d, '%s', '%s')"
            " ON DUPLICATE KEY UPDATE checksum = VALUES(checksum), applied_at = "
            "UTC_TIMESTAMP(3);\n",
            m->version, m->name, checksum);
    return fflush(out) || ferror(out) ? ERR_IO : ERR_OK;
}

enum err migrate_check(struct db_conn *c, char *text, size_t size)
{
    bool exists = false;
    int64_t newest = 0;
    enum err e = read_table_exists(c, &exists);
    if (!e && !exists) {
        snprintf(text, size, "the database has no schema; run: aipassctl migrate");
        return ERR_CONFIG;
    }
    for (const struct migration *m = migrations; m->sql && !e; m++) {
        char want[SHA256_HEX_SIZE], have[SHA256_HEX_SIZE];
        if (!m->version)
            continue;
        checksum_of(m, want);
        e = read_checksum(c, m, have);
        if (!e && strcmp(want, have)) {
            snprintf(text, size, "file %04d_%s of the schema %s; run: aipassctl migrate",
                     m->version, m->name, have[0] ? "differs" : "was not applied");
            return ERR_CONFIG;
        }
    }
    if (!e)
        e = read_newest(c, &newest);
    if (!e && newest > newest_known() + 1) {
        snprintf(text, size, "the schema is at version %lld, this program needs %d",
                 (long long)newest, newest_known());
        return ERR_CONFIG;
    }
    if (e == ERR_CONFIG)
        snprintf(text, size, "no database is chosen in the option file");
    else if (e)
        snprintf(text, size, "the schema cannot be read: %s", err_name(e));
    return e;
}
