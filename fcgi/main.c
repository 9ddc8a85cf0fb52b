/* aipass.fcgi - the gateway. Wires configuration, database, money, providers and routes, then serves: FastCGI when fd 0 is a listening socket, else one CGI request. */
#include "base/config.h"
#include "base/log.h"
#include "db/migrate.h"
#include "fcgi/response.h"
#include "fcgi/server.h"
#include "handlers/app.h"
#include "handlers/redeem.h"
#include "handlers/routes.h"
#include "handlers/throttle.h"
#include "handlers/upkeep.h"
#include "upstream/breaker.h"
#include "upstream/channel_load.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_USAGE       2
#define MALLOC_ARENAS    2                   /* more arenas hold more freed memory back */
#define MALLOC_MMAP_FROM ((size_t)128 << 10) /* bodies go back to the system at once */
#define STOP_GRACE_MS    2000 /* for streams that drain_timeout_ms cut: time to settle */
#define STOP_FLUSH_MS    5000

enum command { COMMAND_SERVE, COMMAND_CHECK, COMMAND_DONE };

struct options {
    const char *config_path;
    bool own_socket;
};

static const char help_text[] =
    "Usage: aipass.fcgi [--config FILE] [--own-socket]\n"
    "       aipass.fcgi --check-config [--config FILE] | --version | --help\n"
    "\n"
    "The AIPass Hub gateway. A web server starts it: with a listening FastCGI socket on\n"
    "descriptor 0 it serves until SIGTERM, otherwise it answers one CGI request.\n"
    "\n"
    "  --config FILE    configuration; else $AIPASS_CONFIG, aipass.conf beside the program,\n"
    "                   ~/.config/aipass/aipass.conf, /etc/aipass/aipass.conf\n"
    "  --own-socket     the socket on descriptor 0 was made for this process alone (lighttpd's\n"
    "                   bin-path): unlink it on SIGTERM, stop when the parent dies\n"
    "  --check-config   check configuration, database and schema; exit 0 when all is well\n"
    "  --version        print the version\n"
    "  --help           print this\n";

/* Sets *command; returns an exit code when there is nothing more to do. */
static int parse_options(int argc, char **argv, struct options *o, enum command *command)
{
    static const struct option longs[] = {
        {"config",       required_argument, NULL, 'c'},
        {"own-socket",   no_argument,       NULL, 'o'},
        {"check-config", no_argument,       NULL, 'k'},
        {"version",      no_argument,       NULL, 'v'},
        {"help",         no_argument,       NULL, 'h'},
        {NULL,           0,                 NULL, 0  },
    };
    *command = COMMAND_SERVE;
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->config_path = optarg;
            break;
        case 'o':
            o->own_socket = true;
            break;
        case 'k':
            *command = COMMAND_CHECK;
            break;
        case 'v':
            puts("aipass.fcgi " AIPASS_VERSION);
            *command = COMMAND_DONE;
            return EXIT_SUCCESS;
        case 'h':
            fputs(help_text, stdout);
            *command = COMMAND_DONE;
            return EXIT_SUCCESS;
        default:
            fputs("Try aipass.fcgi --help.\n", stderr);
            *command = COMMAND_DONE;
            return EXIT_USAGE;
        }
    }
    if (optind < argc && *command == COMMAND_CHECK) {
        fprintf(stderr, "aipass.fcgi: unexpected argument %s\n", argv[optind]);
        *command = COMMAND_DONE;
        return EXIT_USAGE;
    }
    return EXIT_SUCCESS;
}

static enum log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum log_level)i;
    return LOG_LEVEL_INFO;
}

/* Memory holds keys: no core files, no other user's debugger. Descriptors: as many as we may. */
static void prepare_process(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    mallopt(M_MMAP_THRESHOLD, (int)MALLOC_MMAP_FROM);
    umask(077);
}

static void app_clear(struct app *app)
{
    throttle_free(app->redeem_failures);
    load_free(app->loads);
    breaker_free(app->breakers);
    transfer_pool_free(app->transfers);
    limits_free(app->limits);
    money_free(app->money);
    catalog_store_free(app->catalogs);
    key_cache_free(app->keys);
    db_free(app->db);
}

static struct breaker_set *breakers_of(const struct config *config)
{
    return breaker_new(&(struct breaker_settings){
        .failures = config->breaker_failures,
        .rate_percent = config->breaker_rate_percent,
        .rate_min = config->breaker_rate_requests,
        .window_ms = config->breaker_window_ms,
        .open_ms = config->breaker_open_ms,
        .open_max_ms = config->breaker_open_max_ms,
    });
}

static enum err app_fill(struct app *app, const struct config *config, atomic_bool *is_stopping,
                         bool is_fastcgi)
{
    *app = (struct app){.config = config, .is_stopping = is_stopping};
    app->db = db_new(config);
    if (app->db != NULL) {
        app->keys = key_cache_new(app->db, config);
        app->catalogs = catalog_store_new(app->db, config);
        app->money = money_new(app->db, config, is_fastcgi ? (int)config->workers_max : 1);
    }
    if (app->money != NULL)
        app->limits = limits_new(app->db, config, app->money, !is_fastcgi);
    app->transfers = transfer_pool_new(config);
    app->redeem_failures = throttle_new(REDEEM_FAILURES_MAX);
    app->breakers = breakers_of(config);
    app->loads = load_new();
    if (app->keys == NULL || app->catalogs == NULL || app->limits == NULL ||
        app->transfers == NULL || app->redeem_failures == NULL || app->breakers == NULL ||
        app->loads == NULL) {
        app_clear(app);
        return ERR_MEMORY;
    }
    return ERR_OK;
}

/* Streams that outlived drain_timeout_ms are told to end, and settle. */
static void stop_streams(atomic_bool *is_stopping)
{
    atomic_store(is_stopping, true);
    for (int ms = 0; ms < STOP_GRACE_MS && server_active() > 0; ms += 50)
        usleep(50 * 1000);
}

static enum err serve(const struct options *options, const struct config *config, bool is_fastcgi)
{
    static atomic_bool is_stopping;
    static struct app app; /* outlives workers that drain_timeout_ms has cut */
    static struct router router;
    enum err e = app_fill(&app, config, &is_stopping, is_fastcgi);
    if (e != ERR_OK)
        return e;
    router = routes_router(&app);
    struct server_options so = {
        .config = config, .router = &router, .own_socket = options->own_socket};
    e = server_prepare(&so);
    if (e == ERR_OK && is_fastcgi)
        e = money_start(app.money);
    if (e == ERR_OK && is_fastcgi)
        e = upkeep_start(&app, &app.upkeep);
    if (e == ERR_OK)
        e = server_run(&so);
    bool is_cut = e == ERR_BUSY;
    if (is_cut)
        stop_streams(&is_stopping);
    upkeep_stop(app.upkeep);
    limits_stop(app.limits);
    money_stop(app.money, STOP_FLUSH_MS);
    if (!is_fastcgi)
        money_upkeep(app.money); /* after the own answer: adopt one dead neighbour */
    if (is_cut)
        _exit(
            EXIT_FAILURE); /* workers may still run; the slots they leave are adopted by a neighbour */
    app_clear(&app);
    return e;
}

/* --check-config: says what is wrong and what would mend it. */
static int check(const struct config *config)
{
    printf("configuration: %s\n", config->path[0] != '\0' ? config->path : "defaults");
    struct db *db = db_new(config);
    struct db_conn *c = NULL;
    char text[256] = "no memory";
    enum err e = db == NULL ? ERR_MEMORY : db_take(db, &c);
    if (e == ERR_OK)
        e = migrate_check(c, text, sizeof(text));
    else
        snprintf(text, sizeof(text),
                 "cannot connect; check db_option_file, db_option_group and db_hosts");
    printf("database: %s\n", e == ERR_OK ? "ok" : text);
    db_give(db, c);
    db_free(db);
    bool can_spool = access(config->spool_dir, W_OK | X_OK) == 0;
    printf("spool_dir: %s %s\n", config->spool_dir,
           can_spool ? "ok" : "cannot be written by this user");
    return e == ERR_OK && can_spool ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    enum command command;
    int code = parse_options(argc, argv, &options, &command);
    if (command == COMMAND_DONE)
        return code;
    prepare_process();
    struct config *config = NULL;
    enum err e = config_load(options.config_path, stderr, &config);
    if (e != ERR_OK)
        return EXIT_FAILURE;
    if (command == COMMAND_CHECK) {
        code = check(config);
    } else {
        if (log_open(config->log, level_of(config->log_level)) != ERR_OK) {
            fprintf(stderr, "aipass.fcgi: cannot open log %s\n", config->log);
            config_free(config);
            return EXIT_FAILURE;
        }
        e = serve(&options, config, server_is_fastcgi());
        code = e == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
        log_close();
    }
    config_free(config);
    return code;
}
