#include "tests/unit/mariadb.h"

#include "base/clock.h"
#include "db/db.h"
#include "db/migrate.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <mysql.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#define START_MS   30000
#define SOCKET_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#define VALUE_MAX  4096
#define ARGS_MAX   32

static _Noreturn __attribute__((format(printf, 1, 2))) void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "mariadb: ");
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static __attribute__((format(printf, 1, 2))) char *text(const char *fmt, ...)
{
    char *s = NULL;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&s, fmt, args) < 0)
        die("out of memory");
    va_end(args);
    return s;
}

/* ---- directories ---- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static char *work_dir(void)
{
    const char *env = getenv("AIPASS_TEST_DIR");
    const char *path = env && *env ? env : "build/tmp";
    if (!env)
        mkdir("build", 0777);
    mkdir(path, 0777);
    char *real = realpath(path, NULL);
    if (!real)
        die("%s: %s", path, strerror(errno));
    return real;
}

/* Directories of test programs that were killed. */
static void remove_stale(const char *work)
{
    DIR *d = opendir(work);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        int pid = 0;
        if (sscanf(e->d_name, "mariadb-of-%d-", &pid) != 1 || pid <= 0 || kill(pid, 0) == 0 ||
            errno != ESRCH)
            continue;
        char *path = text("%s/%s", work, e->d_name);
        remove_tree(path);
        free(path);
    }
    if (d)
        closedir(d);
}

/* ---- programs ---- */

static void quiet(int fd, const char *path)
{
    int to = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (to >= 0)
        dup2(to, fd);
}

/* out: a file for what it says. Dies with us. */
static pid_t spawn(const char *const *argv, const char *out)
{
    union {
        const char *const *in;
        char *const *out;
    } args = {.in = argv};
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    setpgid(0, 0); /* ^C is for the test, which then ends the server */
    quiet(1, out);
    quiet(2, out);
    execvp(argv[0], args.out);
    _exit(127);
}

static void run(const char *const *argv, const char *out)
{
    int status = 0;
    pid_t pid = spawn(argv, out);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (status)
        die("%s failed, see %s", argv[0], out);
}

/* The data directory that all private servers are copied from; made once. */
static char *template_dir(const char *work)
{
    char *path = text("%s/mariadb-template-%s", work, mysql_get_client_info());
    if (access(path, F_OK) == 0)
        return path;
    char *made = text("%s/mariadb-of-%d-template", work, (int)getpid());
    char *data = text("--datadir=%s", made);
    char *log = text("%s.log", made);
    remove_tree(made);
    const char *argv[] = {"mariadb-install-db",
                          "--no-defaults",
                          data,
                          "--auth-root-authentication-method=normal",
                          "--skip-test-db",
                          "--skip-name-resolve",
                          "--innodb-log-file-size=8M",
                          geteuid() ? NULL : "--user=root",
                          NULL};
    run(argv, log);
    unlink(log);
    if (rename(made, path)) { /* another test was faster */
        remove_tree(made);
        if (access(path, F_OK))
            die("%s: %s", path, strerror(errno));
    }
    free(made);
    free(data);
    free(log);
    return path;
}

static MYSQL *connect_root(const struct mariadb *m)
{
    unsigned timeout_s = 10;
    MYSQL *my = mysql_init(NULL);
    mysql_options(my, MYSQL_READ_DEFAULT_FILE, m->option_file);
    mysql_options(my, MYSQL_READ_DEFAULT_GROUP, "aipass");
    mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_s);
    if (mysql_real_connect(my, NULL, NULL, NULL, NULL, 0, NULL, CLIENT_MULTI_STATEMENTS))
        return my;
    mysql_close(my);
    return NULL;
}

static void start_server(struct mariadb *m)
{
    char *data = text("--datadir=%s/data", m->dir);
    char *sock = text("--socket=%s", m->socket);
    char *pid_file = text("--pid-file=%s/pid", m->dir);
    char *tmp = text("--tmpdir=%s", m->dir);
    char *log = text("%s/mariadbd.log", m->dir);
    const char *argv[ARGS_MAX] = {"mariadbd",
                                  "--no-defaults",
                                  data,
                                  sock,
                                  pid_file,
                                  tmp,
                                  "--skip-networking",
                                  "--skip-name-resolve",
                                  "--skip-log-bin",
                                  "--performance-schema=off",
                                  "--innodb-buffer-pool-size=24M",
                                  "--innodb-log-file-size=8M",
                                  "--innodb-buffer-pool-load-at-startup=off",
                                  "--innodb-flush-log-at-trx-commit=1",
                                  "--aria-pagecache-buffer-size=1M",
                                  "--key-buffer-size=1M",
                                  "--silent-startup",
                                  geteuid() ? NULL : "--user=root",
                                  NULL};
    unlink(m->socket); /* of a killed one: a connect would be refused, not wait */
    m->pid = spawn(argv, log);
    int64_t end = clock_mono_ms() + START_MS;
    MYSQL *my;
    while (!(my = connect_root(m))) {
        if (clock_mono_ms() > end || waitpid(m->pid, NULL, WNOHANG) == m->pid)
            die("the server does not start, see %s", log);
        usleep(10000);
    }
    m->root = my;
    free(data);
    free(sock);
    free(pid_file);
    free(tmp);
    free(log);
}

/* ---- configuration ---- */

static char *file_read(const char *path)
{
    FILE *f = fopen(path, "r");
    char *s = NULL;
    size_t n = 0;
    if (!f || (getdelim(&s, &n, '\0', f) < 0 && ferror(f)))
        die("%s: %s", path, strerror(errno));
    fclose(f);
    return s;
}

static void file_write(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(content, f) < 0 || fclose(f))
        die("%s: %s", path, strerror(errno));
}

static void write_options(const struct mariadb *m, const char *user)
{
    const char *shared = getenv("AIPASS_TEST_MYSQL");
    char *head = m->socket ? text("[aipass]\nsocket=%s\nuser=%s\n", m->socket, user)
                           : file_read(shared);
    char *all = m->database[0] ? text("%s\n[aipass]\ndatabase=%s\n", head, m->database)
                               : text("%s", head);
    file_write(m->option_file, all);
    free(head);
    free(all);
}

static void load_config(struct mariadb *m)
{
    char *path = text("%s/aipass.conf", m->dir);
    char *content = text("db_option_file = %s\nspool_dir = %s/spool\n", m->option_file, m->dir);
    file_write(path, content);
    if (config_load(path, stderr, &m->config))
        die("%s is refused", path);
    free(path);
    free(content);
}

static void make_dir(struct mariadb *m, const char *work)
{
    char *dir = text("%s/mariadb-of-%d-XXXXXX", work, (int)getpid());
    if (!mkdtemp(dir))
        die("%s: %s", dir, strerror(errno));
    m->dir = dir;
    m->owner = getpid();
    m->option_file = text("%s/my.cnf", dir);
}

static void make_socket_path(struct mariadb *m)
{
    m->socket_dir = text("%s", m->dir);
    m->socket = text("%s/mysql.sock", m->dir);
    if (strlen(m->socket) <= SOCKET_MAX)
        return;
    free(m->socket_dir);
    free(m->socket);
    m->socket_dir = text("/tmp/aipass-XXXXXX");
    if (!mkdtemp(m->socket_dir))
        die("%s: %s", m->socket_dir, strerror(errno));
    m->socket = text("%s/mysql.sock", m->socket_dir);
}

void mariadb_start_own(struct mariadb *m)
{
    *m = (struct mariadb){0};
    char *work = work_dir();
    remove_stale(work);
    make_dir(m, work);
    make_socket_path(m);
    char *from = template_dir(work);
    char *to = text("%s/data", m->dir);
    char *log = text("%s/cp.log", m->dir);
    const char *argv[] = {"cp", "-a", from, to, NULL};
    run(argv, log);
    write_options(m, "root");
    load_config(m);
    start_server(m);
    free(work);
    free(from);
    free(to);
    free(log);
}

void mariadb_start(struct mariadb *m)
{
    const char *shared = getenv("AIPASS_TEST_MYSQL");
    if (!shared || !*shared) {
        mariadb_start_own(m);
        return;
    }
    *m = (struct mariadb){0};
    char *work = work_dir();
    make_dir(m, work);
    free(work);
    write_options(m, "");
    load_config(m);
    m->root = connect_root(m);
    if (!m->root)
        die("%s leads to no server", shared);
}

void mariadb_stop(struct mariadb *m)
{
    if (!m->socket)
        mariadb_exec(m, "DROP DATABASE IF EXISTS aipass_test_%d", (int)m->owner);
    if (m->pid)
        mariadb_kill(m);
    if (m->root)
        mysql_close(m->root);
    remove_tree(m->dir);
    if (m->socket_dir && strcmp(m->socket_dir, m->dir))
        remove_tree(m->socket_dir);
    config_free(m->config);
    free(m->dir);
    free(m->socket_dir);
    free(m->socket);
    free(m->option_file);
    *m = (struct mariadb){0};
}

/* ---- databases ---- */

void mariadb_empty(struct mariadb *m)
{
    snprintf(m->database, sizeof(m->database), "aipass_test_%d", (int)m->owner);
    mariadb_exec(m,
                 "DROP DATABASE IF EXISTS %s; CREATE DATABASE %s CHARACTER SET utf8mb4; USE %s; "
                 "SET time_zone='+00:00'",
                 m->database, m->database, m->database);
    write_options(m, "root");
}

void mariadb_fresh(struct mariadb *m)
{
    mariadb_empty(m);
    for (const struct migration *one = migrations; one->sql; one++)
        mariadb_exec(m, "%s", one->sql);
}

/* ---- statements ---- */

/* Runs all statements of sql; value gets the first cell of the last result that has one. Returns
 * the error number. */
static unsigned query(struct mariadb *m, const char *sql, char *value)
{
    value[0] = '\0';
    if (mysql_query(m->root, sql))
        return mysql_errno(m->root);
    for (;;) {
        MYSQL_RES *r = mysql_store_result(m->root);
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
        if (row)
            snprintf(value, VALUE_MAX, "%s", row[0] ? row[0] : "");
        mysql_free_result(r);
        int rc = mysql_next_result(m->root);
        if (rc < 0)
            return 0;
        if (rc > 0)
            return mysql_errno(m->root);
    }
}

#define FORMAT_SQL(sql, fmt)                                                                       \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, fmt);                                                                       \
        if (vasprintf(&(sql), (fmt), args) < 0)                                                    \
            die("out of memory");                                                                  \
        va_end(args);                                                                              \
    } while (0)

static char last_value[VALUE_MAX];

static void query_or_die(struct mariadb *m, char *sql)
{
    if (query(m, sql, last_value))
        die("%s\nin: %s", mysql_error(m->root), sql);
    free(sql);
}

void mariadb_exec(struct mariadb *m, const char *fmt, ...)
{
    char *sql = NULL;
    FORMAT_SQL(sql, fmt);
    query_or_die(m, sql);
}

unsigned mariadb_try(struct mariadb *m, const char *fmt, ...)
{
    char *sql = NULL;
    FORMAT_SQL(sql, fmt);
    unsigned no = query(m, sql, last_value);
    free(sql);
    return no;
}

const char *mariadb_value(struct mariadb *m, const char *fmt, ...)
{
    char *sql = NULL;
    FORMAT_SQL(sql, fmt);
    query_or_die(m, sql);
    return last_value;
}

long long mariadb_number(struct mariadb *m, const char *fmt, ...)
{
    char *sql = NULL;
    FORMAT_SQL(sql, fmt);
    query_or_die(m, sql);
    return strtoll(last_value, NULL, 10);
}

void mariadb_use_limited(struct mariadb *m, const char *privileges)
{
    mariadb_exec(m,
                 "DROP USER IF EXISTS limited@localhost; CREATE USER limited@localhost; GRANT %s "
                 "ON %s.* TO limited@localhost",
                 privileges, m->database);
    write_options(m, "limited");
}

/* ---- the server's life ---- */

void mariadb_kill(struct mariadb *m)
{
    if (m->root)
        mysql_close(m->root);
    m->root = NULL;
    kill(m->pid, SIGKILL);
    kill(m->pid, SIGCONT);
    while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    m->pid = 0;
}

void mariadb_restart(struct mariadb *m)
{
    start_server(m);
    mariadb_exec(m, "SET time_zone='+00:00'");
}

void mariadb_freeze(const struct mariadb *m)
{
    kill(m->pid, SIGSTOP);
}

void mariadb_thaw(const struct mariadb *m)
{
    kill(m->pid, SIGCONT);
}
