#include "base/config.h"

#include "base/config_table.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME    "aipass.conf"
#define SETTINGS_MAX 128

#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* what some editors put first */

/* What one load carries through libinih. */
struct load {
    struct config *config;
    FILE *err_out;
    const char *path;
    FILE *file;
    int line;                 /* of the line that the parser has now */
    int set_at[SETTINGS_MAX]; /* line that gave the setting, 0: none */
    bool is_memory_out;
    int faults;
};

static __attribute__((format(printf, 2, 3))) void fault(struct load *l, const char *fmt, ...)
{
    va_list args;

    l->faults++;
    fprintf(l->err_out, "%s:%d: ", l->path, l->line);
    va_start(args, fmt);
    vfprintf(l->err_out, fmt, args);
    va_end(args);
}

/* ---- reading the file ---- */

/* A line that libinih passes over. */
static char *blank_line(char *dst)
{
    dst[0] = '\n';
    dst[1] = '\0';
    return dst;
}

/* fgets for libinih, which says nothing of a line that is too long, joins an indented line to the
 * one before and cannot give a handler the number of its line. What is told here already is passed
 * on as a comment. */
static char *read_line(char *dst, int size, void *user)
{
    struct load *l = user;
    size_t n, blank;

    if (!fgets(dst, size, l->file))
        return NULL;
    if (l->line++ == 0 && !strncmp(dst, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)))
        memmove(dst, dst + strlen(BYTE_ORDER_MARK), strlen(dst + strlen(BYTE_ORDER_MARK)) + 1);
    n = strlen(dst);
    if (n == (size_t)size - 1 && dst[n - 1] != '\n') {
        int c = getc(l->file);

        if (c != EOF) {
            fault(l, "the line is too long: at most %d bytes are allowed\n", size - 2);
            while (c != '\n' && c != EOF)
                c = getc(l->file);
            return blank_line(dst);
        }
    }
    blank = strspn(dst, " \t");
    if (dst[blank] == '[') {
        fault(l, "sections are not allowed: write \"name = value\" lines only\n");
        return blank_line(dst);
    }
    memmove(dst, dst + blank, n - blank + 1);
    if (dst[0] && !strchr("#;\r\n", dst[0]) && !strpbrk(dst, "=:")) {
        fault(l, "neither \"name = value\" nor a comment that # begins\n");
        return blank_line(dst);
    }
    return dst;
}

static void tell_wrong_value(struct load *l, const struct setting *s, const char *value, enum err e)
{
    fault(l, "%s: \"%s\" is %s; allowed: ", s->name, value,
          e == ERR_RANGE ? "out of range" : "not a value of this setting");
    setting_print_allowed(s, l->err_out);
    fputc('\n', l->err_out);
}

/* Always 1: 0 would count as a fault of the syntax. */
static int take_pair(void *user, const char *section, const char *name, const char *value)
{
    struct load *l = user;
    const struct setting *s = setting_find(name);
    enum err e;
    int *set_at;

    (void)section;
    if (!s) {
        fault(l, "%s: there is no such setting; the nearest is %s\n", name,
              setting_nearest(name)->name);
        return 1;
    }
    set_at = &l->set_at[s - settings];
    if (*set_at) {
        fault(l, "%s: given twice; allowed: once (it stands in line %d already)\n", name, *set_at);
        return 1;
    }
    *set_at = l->line;
    e = setting_set(l->config, s, value);
    if (e == ERR_MEMORY)
        l->is_memory_out = true;
    else if (e)
        tell_wrong_value(l, s, value, e);
    return 1;
}

/* What two settings must be to each other. */
static void check_together(struct load *l)
{
    const struct config *c = l->config;

    l->line = 0;
    if (c->key_stale_ms < c->key_fresh_ms) {
        l->line = l->set_at[setting_find("key_stale_ms") - settings];
        fault(l, "key_stale_ms: allowed: not below key_fresh_ms\n");
    }
    if (c->hold_output_min > c->hold_output_max) {
        l->line = l->set_at[setting_find("hold_output_min") - settings];
        fault(l, "hold_output_min: allowed: not above hold_output_max\n");
    }
}

/* ---- where it is ---- */

/* A copy of "dir/name"; NULL when memory is out. */
static char *join(const char *dir, size_t dir_n, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%.*s/%s", (int)dir_n, dir, name) < 0 ? NULL : path;
}

/* path when such a file exists, else it is freed. */
static char *keep_if_exists(char *path)
{
    if (path && access(path, F_OK) != 0) {
        free(path);
        return NULL;
    }
    return path;
}

static char *beside_binary(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
    const char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;

    return slash ? keep_if_exists(join(self, (size_t)(slash - self), FILE_NAME)) : NULL;
}

static char *in_home(void)
{
    const char *home = getenv("HOME");

    if (!home || home[0] != '/')
        return NULL;
    return keep_if_exists(join(home, strlen(home), ".config/aipass/" FILE_NAME));
}

/* The file to read, or "" for none; NULL when memory is out. What was named outright need not exist
 * here: opening it tells. */
static char *find_file(const char *explicit_path)
{
    const char *named = explicit_path ? explicit_path : getenv("AIPASS_CONFIG");
    char *path;

    if (named && named[0])
        return strdup(named);
    path = beside_binary();
    if (!path)
        path = in_home();
    if (!path)
        path = keep_if_exists(strdup("/etc/aipass/" FILE_NAME));
    return path ? path : strdup("");
}

/* ---- public ---- */

static struct config *new_with_defaults(void)
{
    struct config *c = calloc(1, sizeof(*c));
    size_t i;

    for (i = 0; c && i < settings_n; i++) {
        enum err e = setting_set(c, &settings[i], settings[i].initial);

        assert(e == ERR_OK || e == ERR_MEMORY);
        if (e) {
            config_free(c);
            return NULL;
        }
    }
    return c;
}

static enum err read_file(struct load *l)
{
    int syntax;

    l->file = fopen(l->path, "re");
    if (!l->file) {
        fprintf(l->err_out, "%s: cannot be opened: %s\n", l->path, strerror(errno));
        return ERR_CONFIG;
    }
    syntax = ini_parse_stream(read_line, l, take_pair, l);
    if (syntax > 0) {
        l->line = syntax;
        fault(l, "neither \"name = value\" nor a comment that # begins\n");
    }
    if (syntax == 0 && ferror(l->file)) {
        fprintf(l->err_out, "%s: cannot be read: %s\n", l->path, strerror(errno));
        l->faults++;
    }
    (void)fclose(l->file);
    check_together(l);
    if (l->is_memory_out || syntax < 0)
        return ERR_MEMORY;
    return l->faults ? ERR_CONFIG : ERR_OK;
}

enum err config_load(const char *explicit_path, FILE *err_out, struct config **out)
{
    struct load l = {.err_out = err_out};
    enum err e = ERR_OK;

    assert(settings_n <= SETTINGS_MAX);
    l.config = new_with_defaults();
    if (!l.config)
        return ERR_MEMORY;
    l.config->path = find_file(explicit_path);
    l.path = l.config->path;
    if (!l.path)
        e = ERR_MEMORY;
    else if (l.path[0])
        e = read_file(&l);
    if (e) {
        config_free(l.config);
        return e;
    }
    *out = l.config;
    return ERR_OK;
}

void config_free(struct config *c)
{
    size_t i;

    if (!c)
        return;
    for (i = 0; i < settings_n; i++)
        if (setting_is_text(&settings[i]))
            free(*setting_text(c, &settings[i]));
    free(c->path);
    free(c);
}

/* Each line of text behind "# ". */
static void print_comment(FILE *out, const char *text)
{
    struct slice rest = slice_of(text);

    while (rest.p) {
        struct slice line = slice_split(&rest, '\n');

        fprintf(out, "# %.*s\n", SLICE_FMT(line));
    }
}

void config_print_annotated(FILE *out)
{
    size_t i;

    fputs(
        "# AIPass Hub. Every setting with its default, commented out: to change one, remove its # "
        "and\n"
        "# edit. Read once at start from the first that exists: --config FILE, $AIPASS_CONFIG,\n"
        "# aipass.conf beside the program, ~/.config/aipass/aipass.conf, /etc/aipass/aipass.conf.\n"
        "#\n"
        "# Lines are \"name = value\". A comment is a line that # or ; begins, or what follows \" "
        ";\".\n"
        "# Times end in _ms (milliseconds) or _s (seconds). No secrets stand here.\n",
        out);
    for (i = 0; i < settings_n; i++) {
        const struct setting *s = &settings[i];

        if (s->group)
            fprintf(out, "\n\n# ---- %s ----\n", s->group);
        fputc('\n', out);
        print_comment(out, s->help);
        fputs("# Allowed: ", out);
        setting_print_allowed(s, out);
        fprintf(out, "\n#%s =%s%s\n", s->name, s->initial[0] ? " " : "", s->initial);
    }
}
