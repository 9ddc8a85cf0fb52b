#include "tests/e2e/stack.h"

#include "db/migrate.h"
#include "tests/e2e/admin.h"
#include "tests/e2e/http.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_RING = 16,
    START_WAIT_MS = 10000,
    DRAIN_WAIT_MS = 15000,
    END_WAIT_MS = 3000,
    TAIL_LINES = 25,
    SECRET_HEX = 64
};

struct stack stack;

static char base_dir[SPAWN_PATH_MAX]; /* of all stacks of this run */
static char build_dir[SPAWN_PATH_MAX];
static pid_t main_pid;

/* ---- paths ---- */

static char *next_path(void)
{
    static char ring[PATH_RING][SPAWN_PATH_MAX];
    static unsigned next;
    return ring[next++ % PATH_RING];
}

/* "dir/name" into a path buffer; fails the run when it does not fit. */
static const char *join(const char *dir, const char *name)
{
    char *path = next_path();
    if (snprintf(path, SPAWN_PATH_MAX, "%s/%s", dir, name) >= SPAWN_PATH_MAX)
        stack_fail("path too long: %s/%s", dir, name);
    return path;
}

const char *stack_path(const char *fmt, ...)
{
    char name[SPAWN_PATH_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof(name), fmt, args);
    va_end(args);
    return join(stack.dir, name);
}

const char *stack_built(const char *name)
{
    return join(build_dir, name);
}

const char *stack_root(const char *name)
{
    char up[SPAWN_PATH_MAX];
    snprintf(up, sizeof(up), "../%s", name);
    return join(build_dir, up);
}

static void make_dir(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        stack_fail("%s: %s", path, strerror(errno));
}

static void write_file(const char *path, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void write_file(const char *path, const char *fmt, ...)
{
    va_list args;
    FILE *f = fopen(path, "we");
    if (f == NULL)
        stack_fail("%s: %s", path, strerror(errno));
    va_start(args, fmt);
    vfprintf(f, fmt, args);
    va_end(args);
    if (fclose(f) != 0)
        stack_fail("%s: %s", path, strerror(errno));
    chmod(path, 0600);
}

/* Directories of runs, and of tests within them, that were killed. */
static void remove_stale(void)
{
    DIR *d = opendir(stack_built("tmp"));
    struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        int pid = 0;
        bool is_ours = sscanf(entry->d_name, "e2e-of-%d-", &pid) == 1 ||
                       sscanf(entry->d_name, "mariadb-of-%d-", &pid) == 1;
        if (is_ours && pid > 0 && kill(pid, 0) != 0 && errno == ESRCH)
            spawn_remove_tree(join(stack_built("tmp"), entry->d_name));
    }
    if (d != NULL)
        closedir(d);
}

void stack_prepare(void)
{
    char name[64];
    char self[SPAWN_PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    main_pid = getpid();
    if (n <= 0)
        stack_fail("/proc/self/exe: %s", strerror(errno));
    self[n] = 0;
    for (int level = 0; level < 3; level++) { /* BUILD/tests/e2e/e2e */
        char *slash = strrchr(self, '/');
        if (slash == NULL)
            stack_fail("where is the build directory? %s", self);
        *slash = 0;
    }
    snprintf(build_dir, sizeof(build_dir), "%s", self);
    make_dir(stack_built("tmp"));
    setenv("AIPASS_TEST_DIR", stack_built("tmp"), 0);
    remove_stale();
    snprintf(name, sizeof(name), "tmp/e2e-of-%d-XXXXXX", (int)main_pid);
    snprintf(base_dir, sizeof(base_dir), "%s", stack_built(name));
    if (mkdtemp(base_dir) == NULL)
        stack_fail("%s: %s", base_dir, strerror(errno));
}

void stack_finish(void)
{
    const char *keep = getenv("AIPASS_E2E_KEEP");
    if (keep != NULL && *keep != 0)
        fprintf(stderr, "kept: %s\n", base_dir);
    else
        spawn_remove_tree(base_dir);
    remove_stale();
}

/* ---- failing ---- */

static void print_logs_of(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        size_t n = strlen(entry->d_name);
        if (n > 4 && strcmp(entry->d_name + n - 4, ".log") == 0)
            spawn_print_tail(join(dir, entry->d_name), TAIL_LINES);
    }
    if (d != NULL)
        closedir(d);
}

void stack_print_logs(void)
{
    char dir[SPAWN_PATH_MAX];
    DIR *d = opendir(base_dir);
    struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.' || strncmp(entry->d_name, "mariadb-template", 16) == 0)
            continue;
        snprintf(dir, sizeof(dir), "%s", join(base_dir, entry->d_name));
        print_logs_of(dir);
    }
    if (d != NULL)
        closedir(d);
}

void stack_fail(const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (main_pid != getpid())
        ck_abort_msg("%s", text);
    fprintf(stderr, "e2e: %s\n", text);
    stack_print_logs();
    if (stack.db.pid > 0)
        mariadb_stop(&stack.db);
    stack_finish();
    exit(2);
}

/* ---- the parts ---- */

static void start_database(void (*seed)(void))
{
    int applied = 0;
    FILE *log = fopen(stack_path("migrate.log"), "we");
    if (log == NULL)
        stack_fail("%s: %s", stack_path("migrate.log"), strerror(errno));
    mariadb_start_own(&stack.db);
    mariadb_empty(&stack.db);
    struct db *db = db_new(stack.db.config);
    if (db == NULL)
        stack_fail("db_new: out of memory");
    enum err e = migrate_run(db, MIGRATE_APPLY, log, &applied);
    fclose(log);
    db_free(db);
    if (e != ERR_OK)
        stack_fail("the migrations fail: %s", err_name(e));
    admin_connect_to(stack.db.socket, "root", stack.db.database);
    if (seed != NULL)
        seed();
}

static void start_sim(int i)
{
    char port[16];
    struct stack_server *sim = &stack.sims[i];
    sim->port = spawn_free_port();
    snprintf(port, sizeof(port), "%d", sim->port);
    const char *argv[] = {stack_built("tests/provider/provider"), "--port", port, NULL};
    sim->pid = spawn_start(argv, stack_path("provider%d.log", i));
    if (!spawn_wait_port(sim->port, START_WAIT_MS))
        stack_fail("provider simulator %d does not listen on port %d", i, sim->port);
}

static void write_config(const char *more)
{
    char hex[SECRET_HEX + 1];
    for (int i = 0; i < SECRET_HEX; i++)
        hex[i] = "0123456789abcdef"[i * 7 % 16];
    hex[SECRET_HEX] = 0;
    write_file(stack_path("secret.hex"), "%s\n", hex);
    make_dir(stack_path("spool"));
    write_file(stack_path("aipass.conf"),
               "db_option_file = %s\n"
               "spool_dir = %s\n"
               "log = file:%s\n"
               "secret_key_file = %s\n"
               "%s\n",
               stack.db.option_file, stack_path("spool"), stack_path("gateway.log"),
               stack_path("secret.hex"), more != NULL ? more : "");
}

static void write_web_config(int i, const char *path)
{
    write_file(path,
               "server.modules = ( )\n"
               "server.bind = \"127.0.0.1\"\n"
               "server.port = %d\n"
               "server.errorlog = \"%s\"\n"
               "server.breakagelog = \"%s\"\n"
               "server.document-root = \"%s\"\n"
               "var.aipass_program = \"%s\"\n"
               "var.aipass_conf = \"%s\"\n"
               "var.aipass_run = \"%s\"\n"
               "var.aipass_errors = \"%s/\"\n"
               "var.aipass_htdocs = \"%s\"\n"
               "include \"%s\"\n"
               "%s\n",
               stack.webs[i].port, stack_path("lighttpd%d.log", i), stack_path("stderr%d.log", i),
               stack_root("htdocs"), stack_built("aipass.fcgi"), stack_path("aipass.conf"),
               stack_path("run%d", i), stack_root("etc/lighttpd-errors"), stack_root("htdocs"),
               stack_root("etc/lighttpd.conf"), stack.web != NULL ? stack.web : "");
}

/* A shared host's way: the program is started for each request and finds its configuration
 * itself, beside it. */
static void write_cgi_config(int i, const char *path)
{
    if (link(stack_built("aipass.fcgi"), stack_path("aipass.cgi")) != 0 &&
        symlink(stack_built("aipass.fcgi"), stack_path("aipass.cgi")) != 0 && errno != EEXIST)
        stack_fail("%s: %s", stack_path("aipass.cgi"), strerror(errno));
    write_file(path,
               "server.modules = ( \"mod_alias\", \"mod_cgi\" )\n"
               "server.bind = \"127.0.0.1\"\n"
               "server.port = %d\n"
               "server.errorlog = \"%s\"\n"
               "server.breakagelog = \"%s\"\n"
               "server.document-root = \"%s\"\n"
               "server.upload-dirs = ( \"%s\" )\n"
               "server.stream-response-body = 2\n"
               "alias.url = ( \"/v1\" => \"%s\", \"/readyz\" => \"%s\" )\n"
               "cgi.assign = ( \"aipass.cgi\" => \"\" )\n"
               "%s\n",
               stack.webs[i].port, stack_path("lighttpd%d.log", i), stack_path("stderr%d.log", i),
               stack_path("run%d", i), stack_path("run%d", i), stack_path("aipass.cgi"),
               stack_path("aipass.cgi"), stack.web != NULL ? stack.web : "");
}

static bool is_ready(int port)
{
    struct http_reply reply;
    struct http_call call = {.port = port, .path = "/readyz", .timeout_ms = 5000};
    http_run(&call, &reply);
    bool is_ok = reply.status == 200;
    http_reply_clear(&reply);
    return is_ok;
}

void stack_start_web(int i)
{
    struct stack_server *web = &stack.webs[i];
    const char *config = stack_path("lighttpd%d.conf", i);
    if (web->port == 0)
        web->port = spawn_free_port();
    make_dir(stack_path("run%d", i));
    if (stack.is_cgi)
        write_cgi_config(i, config);
    else
        write_web_config(i, config);
    config = stack_path("lighttpd%d.conf", i);
    const char *argv[] = {"lighttpd", "-D", "-f", config, NULL};
    web->pid = spawn_start(argv, stack_path("stderr%d.log", i));
    if (!spawn_wait_port(web->port, START_WAIT_MS))
        stack_fail("lighttpd %d does not listen on port %d", i, web->port);
    if (!WAIT_UNTIL(is_ready(web->port), START_WAIT_MS))
        stack_fail("/readyz of lighttpd %d was not 200 within %d ms", i, START_WAIT_MS);
}

void stack_start(const struct stack_options *options)
{
    static int count;
    char name[32];
    stack = (struct stack){.is_up = true, .web = options->web, .is_cgi = options->is_cgi};
    snprintf(name, sizeof(name), "%d-%d", (int)getpid(), ++count);
    snprintf(stack.dir, sizeof(stack.dir), "%s", join(base_dir, name));
    make_dir(stack.dir);
    stack.sims_n = options->sims > 0 ? options->sims : 1;
    stack.webs_n = options->webs > 0 ? options->webs : 1;
    for (int i = 0; i < stack.sims_n; i++)
        start_sim(i);
    start_database(options->seed);
    write_config(options->config);
    for (int i = 0; i < stack.webs_n; i++)
        stack_start_web(i);
}

bool stack_drain(void)
{
    pid_t gateways[STACK_GATEWAYS_MAX];
    bool all_gone = true;
    size_t n = stack_gateways("", gateways, STACK_GATEWAYS_MAX);
    for (int i = 0; i < stack.webs_n; i++)
        if (stack.webs[i].pid > 0)
            kill(stack.webs[i].pid, SIGTERM);
    for (size_t i = 0; i < n; i++)
        all_gone = spawn_wait_gone(gateways[i], DRAIN_WAIT_MS) && all_gone;
    for (int i = 0; i < stack.webs_n; i++)
        all_gone = spawn_wait_gone(stack.webs[i].pid, DRAIN_WAIT_MS) && all_gone;
    return all_gone;
}

void stack_reap_web(int i)
{
    spawn_end(stack.webs[i].pid, 0, END_WAIT_MS);
    stack.webs[i].pid = 0;
}

void stack_stop(void)
{
    if (!stack.is_up)
        return;
    stack_drain();
    for (int i = 0; i < stack.webs_n; i++)
        spawn_end(stack.webs[i].pid, SIGTERM, END_WAIT_MS);
    for (int i = 0; i < stack.sims_n; i++)
        spawn_end(stack.sims[i].pid, SIGTERM, END_WAIT_MS);
    mariadb_stop(&stack.db);
    const char *keep = getenv("AIPASS_E2E_KEEP");
    if (keep == NULL || *keep == 0)
        spawn_remove_tree(stack.dir);
    stack.is_up = false;
}

/* ---- processes of a pool ---- */

/* Whether a process is of a pool, by its name: "aipass.chat-0"; the descriptors of a gateway are
 * hidden from all but root. */
static bool is_of_pool(pid_t pid, const char *pool)
{
    char path[64];
    char name[32] = "";
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool is_read = fgets(name, sizeof(name), f) != NULL;
    fclose(f);
    return is_read && strncmp(name, "aipass.", 7) == 0 &&
           strncmp(name + 7, pool, strlen(pool)) == 0;
}

size_t stack_gateways(const char *pool, pid_t *out, size_t max)
{
    pid_t all[STACK_GATEWAYS_MAX];
    size_t n = 0;
    for (int i = 0; i < stack.webs_n; i++) {
        size_t count = spawn_children(stack.webs[i].pid, "aipass.", all, STACK_GATEWAYS_MAX);
        for (size_t k = 0; k < count && n < max; k++) {
            if (*pool == 0 || is_of_pool(all[k], pool))
                out[n++] = all[k];
        }
    }
    return n;
}
