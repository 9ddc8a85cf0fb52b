#include "ctl/doctor.h"

#include "base/clock.h"
#include "base/hash.h"
#include "db/catalog.h"
#include "db/migrate.h"
#include "upstream/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKEW_WARN_MS  1000
#define SKEW_ERROR_MS 30000
#define VERSION_MIN   1011 /* DEFAULT UTC_TIMESTAMP, RANDOM_BYTES */
#define PROBE_MS      10000

static const char sql_version[] = "SELECT VERSION(), CURRENT_USER(), DATABASE()";
static const char sql_now[] =
    "SELECT CAST(UNIX_TIMESTAMP(UTC_TIMESTAMP(3)) * 1000 AS SIGNED), @@session.time_zone";

static enum err one_row(struct doctor *d, const char *sql, struct db_stmt **stmt)
{
    enum err e = db_run(d->conn, sql, NULL, 0, stmt);
    return e ? e : db_next(*stmt);
}

/* ---- login, version, clock ---- */

static void check_version(struct doctor *d)
{
    struct db_stmt *s = NULL;
    char version[64], user[128], name[128];
    if (one_row(d, sql_version, &s)) {
        doctor_tell(d, "database", DOCTOR_ERROR, "look into the database's error log",
                    "it does not answer SELECT VERSION()");
        return;
    }
    (void)slice_copy_z(version, sizeof(version), db_col_text(s, 0));
    (void)slice_copy_z(user, sizeof(user), db_col_text(s, 1));
    (void)slice_copy_z(name, sizeof(name), db_col_text(s, 2));
    int major = 0, minor = 0;
    if (!name[0])
        doctor_tell(d, "database", DOCTOR_ERROR, "add a line database = NAME to the option file",
                    "%s: no database is chosen", user);
    else if (!strstr(version, "MariaDB"))
        doctor_tell(d, "database", DOCTOR_ERROR, "use MariaDB 10.11 or later", "%s is not MariaDB",
                    version);
    else if (sscanf(version, "%d.%d", &major, &minor) != 2 || major * 100 + minor < VERSION_MIN)
        doctor_tell(d, "database", DOCTOR_ERROR, "use MariaDB 10.11 or later",
                    "MariaDB %s is too old", version);
    else
        doctor_tell(d, "database", DOCTOR_OK, NULL, "MariaDB %s, %s as %s", version, name, user);
}

static void check_clock(struct doctor *d)
{
    struct db_stmt *s = NULL;
    int64_t before = clock_wall_ms();
    if (one_row(d, sql_now, &s))
        return;
    int64_t skew = db_col_i64(s, 0) - (before + clock_wall_ms()) / 2;
    long long size = (long long)(skew < 0 ? -skew : skew);
    enum doctor_level level = size > SKEW_ERROR_MS  ? DOCTOR_ERROR
                              : size > SKEW_WARN_MS ? DOCTOR_WARNING
                                                    : DOCTOR_OK;
    doctor_tell(d, "clock", level, level ? "run an NTP client on both machines" : NULL,
                "this machine and the database are %lld ms apart", size);
}

/* ---- rights ---- */

/* Rights to rows are tried, on no row; rights to tables are read, since trying would leave traces. */
static const char sql_try_select[] = "SELECT COUNT(*) FROM settings WHERE FALSE";
static const char sql_try_insert[] =
    "INSERT INTO settings (name, value) SELECT 'x', 'x' FROM settings WHERE FALSE";
static const char sql_try_update[] = "UPDATE settings SET note = note WHERE FALSE";
static const char sql_try_delete[] = "DELETE FROM settings WHERE FALSE";
static const char sql_granted[] =
    "SELECT COALESCE(GROUP_CONCAT(DISTINCT privilege_type ORDER BY privilege_type SEPARATOR ' '), "
    "'') FROM ("
    "SELECT privilege_type, grantee FROM information_schema.user_privileges UNION ALL SELECT "
    "privilege_type, grantee"
    " FROM information_schema.schema_privileges WHERE DATABASE() LIKE table_schema) x WHERE "
    "privilege_type IN"
    " ('CREATE', 'ALTER', 'DROP', 'INDEX', 'REFERENCES', 'CREATE VIEW', 'CREATE ROUTINE', "
    "'TRIGGER', 'SUPER') AND grantee ="
    " CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', "
    "SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')";

static void check_rights(struct doctor *d)
{
    static const struct {
        const char *name;
        const char *sql;
    } tries[] = {
        {"SELECT", sql_try_select},
        {"INSERT", sql_try_insert},
        {"UPDATE", sql_try_update},
        {"DELETE", sql_try_delete}
    };
    char have[64] = "", lack[64] = "", granted[256] = "";
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        enum err e = db_run(d->conn, tries[i].sql, NULL, 0, NULL);
        unsigned no = e ? db_last_errno(d->conn) : 0;
        char *list = no == 1142 || no == 1044 || no == 1143 ? lack : have;
        size_t n = strlen(list);
        (void)snprintf(list + n, sizeof(lack) - n, "%s%s", n ? " " : "", tries[i].name);
    }
    struct db_stmt *s = NULL;
    if (!one_row(d, sql_granted, &s))
        (void)slice_copy_z(granted, sizeof(granted), db_col_text(s, 0));
    if (lack[0])
        doctor_tell(d, "rights", DOCTOR_ERROR,
                    "GRANT SELECT, INSERT, UPDATE, DELETE on the database to this user",
                    "rows: %s; lacks %s", have[0] ? have : "none", lack);
    else
        doctor_tell(
            d, "rights", DOCTOR_OK, NULL, "rows: %s; tables: %s", have,
            granted[0] ? granted
                       : "none, as is best for the gateway (aipassctl migrate needs another user)");
}

static bool check_schema(struct doctor *d)
{
    char text[DOCTOR_TEXT_MAX] = "";
    if (!migrate_check(d->conn, text, sizeof(text))) {
        doctor_tell(d, "schema", DOCTOR_OK, NULL, "as this program needs it");
        return true;
    }
    doctor_tell(
        d, "schema", DOCTOR_ERROR,
        "aipassctl migrate --config /etc/aipass/owner.conf, or paste the missing files that "
        "aipassctl migrate --sql writes",
        "%s", text);
    return false;
}

static const char sql_views[] =
    "SELECT COUNT(*) FROM information_schema.views WHERE table_schema = DATABASE()";

/* No fault: hosts that let nobody create views are served as well. */
static void check_views(struct doctor *d)
{
    struct db_stmt *s = NULL;
    if (one_row(d, sql_views, &s))
        return;
    long long n = (long long)db_col_i64(s, 0);
    if (n)
        doctor_tell(d, "views", DOCTOR_OK, NULL, "%lld, for admins", n);
    else
        doctor_tell(d, "views", DOCTOR_OK, NULL,
                    "none, and nothing needs them: aipassctl migrate makes them for admins when "
                    "its user may CREATE VIEW");
}

bool doctor_check_database(struct doctor *d)
{
    enum err e = d->db ? db_take(d->db, &d->conn) : ERR_MEMORY;
    if (e) {
        doctor_tell(
            d, "database", DOCTOR_ERROR,
            "is MariaDB running? Try: mariadb --defaults-file=(db_option_file) "
            "--defaults-group-suffix=; check socket, host, user and password there, and db_hosts",
            "no login (%s)", err_name(e));
        return false;
    }
    check_version(d);
    check_clock(d);
    bool has_schema = check_schema(d);
    if (has_schema) {
        check_rights(d);
        check_views(d);
    }
    return has_schema;
}

/* ---- what is sold ---- */

static const char sql_unpriced[] =
    "SELECT COUNT(*), COALESCE(MIN(m.name), '') FROM models m WHERE m.status = 'enabled' AND NOT "
    "EXISTS (SELECT 1 FROM prices p WHERE p.model_id = m.id AND"
    " p.scope = 'model' AND p.qualifier = '' AND p.unit = 'request' AND p.valid_from <= "
    "UTC_TIMESTAMP(3)) AND 2 > (SELECT COUNT(DISTINCT p.unit) FROM prices p"
    " WHERE p.model_id = m.id AND p.scope = 'model' AND p.qualifier = '' AND p.unit IN "
    "('input_token', 'output_token') AND p.valid_from <= UTC_TIMESTAMP(3))";
static const char sql_unserved[] =
    "SELECT COUNT(*), COALESCE(MIN(m.name), '') FROM models m WHERE m.status = 'enabled' AND NOT "
    "EXISTS (SELECT 1 FROM channel_models cm JOIN channels c ON c.id ="
    " cm.channel_id WHERE cm.model_id = m.id AND cm.status = 'enabled' AND c.status = 'enabled' "
    "AND EXISTS (SELECT 1 FROM channel_keys k WHERE k.channel_id = c.id"
    " AND k.status = 'enabled'))";
static const char sql_keyless[] =
    "SELECT COUNT(*), COALESCE(MIN(c.name), '') FROM channels c WHERE c.status = 'enabled' AND NOT "
    "EXISTS (SELECT 1 FROM channel_keys k WHERE k.channel_id = c.id"
    " AND k.status = 'enabled')";
static const char sql_late[] = "SELECT COUNT(*), COALESCE(MIN(name), '') FROM upkeep WHERE due_at "
                               "< UTC_TIMESTAMP(3) - INTERVAL 1 DAY";

/* A check that counts what is wrong and names the first. */
static void check_count(struct doctor *d, const char *name, const char *sql, const char *fix,
                        const char *what)
{
    struct db_stmt *s = NULL;
    char first[130];
    if (one_row(d, sql, &s)) {
        doctor_tell(d, name, DOCTOR_ERROR, "aipassctl migrate", "cannot be read");
        return;
    }
    long long n = (long long)db_col_i64(s, 0);
    (void)slice_copy_z(first, sizeof(first), db_col_text(s, 1));
    if (n)
        doctor_tell(d, name, DOCTOR_WARNING, fix, "%lld %s, %s among them", n, what, first);
    else
        doctor_tell(d, name, DOCTOR_OK, NULL, "no %s", what);
}

void doctor_check_catalog(struct doctor *d)
{
    check_count(d, "prices", sql_unpriced,
                "aipassctl price set MODEL input_token USD, and output_token; until then they are "
                "not served",
                "enabled models without a price");
    check_count(d, "routes", sql_unserved,
                "aipassctl channel serve CHANNEL MODEL, or aipassctl model disable MODEL",
                "enabled models without a channel");
    check_count(d, "keys", sql_keyless,
                "aipassctl channel key CHANNEL < FILE, or aipassctl channel disable CHANNEL",
                "enabled channels without a key");
    check_count(
        d, "upkeep", sql_late,
        "let cron run aipassctl upkeep, as etc/cron.d shows, as a user who may change tables",
        "tasks of upkeep a day late");
}

/* ---- providers ---- */

static enum err swallow(void *ctx, const struct transfer_head *head)
{
    (void)ctx;
    (void)head;
    return ERR_OK;
}

static enum err swallow_body(void *ctx, struct slice bytes)
{
    (void)ctx;
    (void)bytes;
    return ERR_OK;
}

/* The list of models costs nothing anywhere, and needs the key. */
static void ask_channel(struct doctor *d, struct transfer_pool *pool,
                        const struct catalog_channel *c)
{
    static const struct transfer_ops ops = {.on_head = swallow, .on_body = swallow_body};
    char url[512], header[2200];
    size_t usable = 0; /* the first that is not disabled; the last when all are */
    while (usable + 1 < c->keys_n && c->keys[usable].is_disabled)
        usable++;
    const char *secret = c->keys[usable].secret;
    bool is_anthropic = !strcmp(c->format, "anthropic"), is_gemini = !strcmp(c->format, "gemini");
    (void)snprintf(url, sizeof(url), "%s/models", c->base_url);
    (void)snprintf(header, sizeof(header), "%s%s",
                   is_anthropic ? "x-api-key: "
                   : is_gemini  ? "x-goog-api-key: "
                                : "Authorization: Bearer ",
                   secret);
    struct transfer_spec spec = {
        .url = url,
        .method = "GET",
        .reach = {c->proxy_url, c->ca_pem, c->allow_private},
        .headers = {header,            "anthropic-version: 2023-06-01"               },
        .headers_n = is_anthropic ? 2 : 1,
        .reuse_key = (uint64_t)c->id,
        .connect_ms = d->config->connect_ms,
        .first_byte_ms = PROBE_MS,
        .between_bytes_ms = PROBE_MS,
        .total_ms = 2 * PROBE_MS,
        .gone_fd = -1,
        .ops = &ops
    };
    struct transfer_result r = {0};
    enum err e = transfer_run(pool, &spec, &r);
    hash_wipe(header, sizeof(header));
    if (e)
        doctor_tell(d, "channels", DOCTOR_ERROR,
                    "check base_url, name service, firewall and clock; a private address needs "
                    "allow_private; aipassctl channel disable takes it out",
                    "%s: %s cannot be reached (%s; %s)", c->name, c->base_url, err_name(e),
                    r.detail);
    else if (r.status == 401 || r.status == 403)
        doctor_tell(d, "channels", DOCTOR_ERROR,
                    "aipassctl channel key CHANNEL < FILE with one that is valid",
                    "%s: the provider refuses its key (%d)", c->name, r.status);
    else if (r.status >= 500)
        doctor_tell(d, "channels", DOCTOR_WARNING, "look at the provider's status page",
                    "%s: the provider answers %d", c->name, r.status);
    else
        doctor_tell(d, "channels", DOCTOR_OK, NULL, "%s: answers %d in %lld ms", c->name, r.status,
                    (long long)(r.total_us / 1000));
}

void doctor_check_channels(struct doctor *d)
{
    struct catalog_store *store = catalog_store_new(d->db, d->config);
    struct transfer_pool *pool = transfer_pool_new(d->config);
    const struct catalog *catalog = NULL;
    enum err e = store && pool ? catalog_acquire(store, &catalog) : ERR_MEMORY;
    int64_t asked[256];
    size_t asked_n = 0;
    if (e)
        doctor_tell(d, "channels", DOCTOR_ERROR,
                    "tls_ca_file must be readable, and the findings above mended",
                    "the catalog cannot be read (%s)", err_name(e));
    for (size_t i = 0; !e && i < catalog->models_n; i++) {
        for (size_t j = 0; j < catalog->models[i].routes_n; j++) {
            const struct catalog_channel *c = catalog->models[i].routes[j].channel;
            size_t k = 0;
            while (k < asked_n && asked[k] != c->id)
                k++;
            if (k < asked_n || asked_n == sizeof(asked) / sizeof(asked[0]))
                continue;
            asked[asked_n++] = c->id;
            ask_channel(d, pool, c);
        }
    }
    if (!e && !asked_n)
        doctor_tell(
            d, "channels", DOCTOR_WARNING,
            "aipassctl channel add, channel serve, model add, price set; or aipassctl model import",
            "no model is sold");
    if (!e)
        catalog_release(store, catalog);
    transfer_pool_free(pool);
    catalog_store_free(store);
}
