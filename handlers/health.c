#include "handlers/health.h"

#include "base/buf.h"
#include "db/migrate.h"
#include "fcgi/response.h"
#include "handlers/app.h"

#include <inttypes.h>

#define HEALTH_BODY_MAX 2048

void health_live(struct request *req)
{
    struct buf b;
    buf_init(&b, HEALTH_BODY_MAX);
    enum err e = buf_printf(
        &b, "{\"status\":\"ok\",\"version\":\"" AIPASS_VERSION "\",\"process\":\"%s\"}\n",
        money_process_id(app_of(req)->money));
    if (e == ERR_OK)
        e = response_bytes(req, 200, "application/json", buf_slice(&b));
    else
        request_fail(req, e, NULL, NULL);
    (void)e; /* a client that is gone does not get it */
    buf_clear(&b);
}

void health_hello(struct request *req)
{
    enum err e = response_bytes(req, 200, "application/json", SLICE("{\"message\":\"hello\"}"));
    (void)e; /* a client that is gone does not get it */
}

/* A statement on the real schema, not the cached outage state. */
static bool check_database(const struct app *app, char *text, size_t size)
{
    struct db_conn *c = NULL;
    enum err e = db_take(app->db, &c);
    if (e == ERR_OK)
        e = migrate_check(c, text, size);
    else
        snprintf(text, size, "no database host answers");
    db_give(app->db, c);
    return e == ERR_OK;
}

void health_ready(struct request *req)
{
    const struct app *app = app_of(req);
    char text[256] = "";
    bool database_ok = check_database(app, text, sizeof(text));
    struct journal_stats j;
    journal_stats(app->money, &j);
    const struct catalog *c = NULL;
    bool catalog_ok = catalog_acquire(app->catalogs, &c) == ERR_OK;
    size_t models = catalog_ok ? c->models_n : 0;
    if (catalog_ok)
        catalog_release(app->catalogs, c);
    bool ok = database_ok && catalog_ok && j.is_writable && j.rejected_rows == 0 &&
              money_may_admit(app->money);
    struct buf b;
    buf_init(&b, HEALTH_BODY_MAX);
    enum err e = buf_printf(&b,
                            "{\"status\":\"%s\",\"database\":{\"ok\":%s,\"text\":\"%s\"},"
                            "\"journal\":{\"running\":%d,\"unflushed_rows\":%" PRId64
                            ",\"unflushed_segments\":%" PRId64 ",\"oldest_ms\":%" PRId64
                            ",\"rejected_rows\":%" PRId64 ",\"writable\":%s,\"commits\":%" PRIu64
                            ",\"takes\":%" PRIu64 "},\"catalog\":{\"models\":%zu}}\n",
                            ok ? "ok" : "failing", database_ok ? "true" : "false", text, j.running,
                            j.unflushed_rows, j.unflushed_segments, j.oldest_ms, j.rejected_rows,
                            j.is_writable ? "true" : "false", j.commits, j.takes, models);
    if (e == ERR_OK)
        e = response_bytes(req, ok ? 200 : 503, "application/json", buf_slice(&b));
    else
        request_fail(req, e, NULL, NULL);
    (void)e; /* a client that is gone does not get it */
    buf_clear(&b);
}
