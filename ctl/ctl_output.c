#include "ctl/ctl_output.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MAX        ((size_t)256 << 20)
#define CELL_WIDTH_MAX   60
#define BAR_WIDTH        30
#define TELL_TERMINAL_MS 200
#define TELL_LINE_MS     10000

enum format { FORMAT_TABLE, FORMAT_TSV, FORMAT_JSON };

struct ctl_rows {
    const struct ctl_column *columns;
    size_t columns_n;
    enum format format;
    size_t at; /* the column that comes next */
    size_t rows_n;
    enum err failed;
    struct buf cells; /* of a table: each cell ends with NUL */
    size_t widths[CTL_COLUMNS_MAX];
    struct json_object *row;
};

bool ctl_has_color(FILE *stream)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(stream)) && !(none && none[0]) && !(term && !strcmp(term, "dumb"));
}

/* ---- which format ---- */

static bool read_format(const struct ctl_args *args, enum format *format)
{
    static const char *const names[] = {"table", "tsv", "json"};
    const char *name = ctl_value(args, "output");
    *format = isatty(STDOUT_FILENO) ? FORMAT_TABLE : FORMAT_TSV;
    if (ctl_value(args, "json"))
        *format = FORMAT_JSON;
    if (!name)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(name, names[i])) {
            *format = (enum format)i;
            return true;
        }
    }
    (void)ctl_fail("--output: expected table, tsv or json, got %s", name);
    return false;
}

struct ctl_rows *ctl_rows_new(const struct ctl_args *args, const struct ctl_column *columns)
{
    enum format format;
    if (!read_format(args, &format))
        return NULL;
    struct ctl_rows *r = calloc(1, sizeof(*r));
    if (!r) {
        (void)ctl_fail("no memory");
        return NULL;
    }
    r->columns = columns;
    r->format = format;
    buf_init(&r->cells, TABLE_MAX);
    for (; columns[r->columns_n].name && r->columns_n < CTL_COLUMNS_MAX; r->columns_n++)
        r->widths[r->columns_n] = strlen(columns[r->columns_n].name);
    for (size_t i = 0; format == FORMAT_TSV && i < r->columns_n; i++)
        printf("%s%c", columns[i].name, i + 1 < r->columns_n ? '\t' : '\n');
    if (format == FORMAT_JSON)
        fputs("[", stdout);
    return r;
}

/* ---- a cell ---- */

static void print_tsv(struct slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\t' || c == '\n' || c == '\r' || c == '\\') {
            putchar('\\');
            c = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : '\\';
        }
        putchar(c);
    }
}

/* Characters, not bytes: what a terminal shows of a UTF-8 text without wide ones. */
static size_t width_of(const char *text, size_t n)
{
    size_t width = 0;
    for (size_t i = 0; i < n; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

/* Control characters would move the cursor. */
static enum err keep_cell(struct ctl_rows *r, struct slice value)
{
    char *room;
    enum err e = buf_reserve(&r->cells, value.n + 1, &room);
    if (e)
        return e;
    for (size_t i = 0; i < value.n; i++)
        room[i] = (unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f ? ' ' : value.p[i];
    room[value.n] = '\0';
    buf_commit(&r->cells, value.n + 1);
    size_t width = width_of(value.p, value.n);
    if (width > r->widths[r->at])
        r->widths[r->at] = width < CELL_WIDTH_MAX ? width : CELL_WIDTH_MAX;
    return ERR_OK;
}

static enum err add_member(struct ctl_rows *r, struct slice value)
{
    const struct ctl_column *column = &r->columns[r->at];
    struct json_object *o = NULL;
    int64_t number = 0;
    if (value.n > INT32_MAX)
        return ERR_TOO_LARGE;
    if (value.p && column->kind == CTL_NUMBER && !slice_to_i64(value, &number))
        o = json_object_new_int64(number);
    else if (value.p)
        o = json_object_new_string_len(value.p, (int)value.n);
    if (value.p && !o)
        return ERR_MEMORY;
    if (!r->row)
        r->row = json_object_new_object();
    if (!r->row || json_object_object_add(r->row, column->name, o)) {
        json_object_put(o);
        return ERR_MEMORY;
    }
    return ERR_OK;
}

static void end_row(struct ctl_rows *r)
{
    if (r->format == FORMAT_TSV)
        putchar('\n');
    if (r->format == FORMAT_JSON) {
        printf("%s\n  %s", r->rows_n ? "," : "",
               json_object_to_json_string_ext(r->row, JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(r->row);
        r->row = NULL;
    }
    r->rows_n++;
    r->at = 0;
}

void ctl_rows_add(struct ctl_rows *r, struct slice value)
{
    if (r->failed)
        return;
    if (r->format == FORMAT_TSV) {
        if (r->at)
            putchar('\t');
        print_tsv(value);
    } else if (r->format == FORMAT_JSON) {
        r->failed = add_member(r, value);
    } else {
        r->failed = keep_cell(r, value.p ? value : SLICE("-"));
    }
    if (!r->failed && ++r->at == r->columns_n)
        end_row(r);
}

void ctl_rows_add_z(struct ctl_rows *r, const char *value)
{
    ctl_rows_add(r, value ? slice_of(value) : (struct slice){NULL, 0});
}

/* ---- the end ---- */

static void print_cell(const struct ctl_rows *r, size_t i, const char *text)
{
    size_t width = width_of(text, strlen(text));
    int pad = width < r->widths[i] ? (int)(r->widths[i] - width) : 0;
    bool is_last = i + 1 == r->columns_n;
    if (r->columns[i].kind == CTL_NUMBER)
        printf("%*s%s", pad, "", text);
    else
        printf("%s%*s", text, is_last ? 0 : pad, "");
    fputs(is_last ? "\n" : "  ", stdout);
}

static void print_table(const struct ctl_rows *r)
{
    bool has_color = ctl_has_color(stdout);
    if (has_color)
        fputs("\033[1m", stdout);
    for (size_t i = 0; i < r->columns_n; i++)
        print_cell(r, i, r->columns[i].name);
    if (has_color)
        fputs("\033[0m", stdout);
    const char *cell = r->cells.p;
    for (size_t row = 0; row < r->rows_n; row++) {
        for (size_t i = 0; i < r->columns_n; i++) {
            print_cell(r, i, cell);
            cell += strlen(cell) + 1;
        }
    }
}

enum ctl_exit ctl_rows_end(struct ctl_rows *r)
{
    enum err e = r->failed;
    if (!e && r->format == FORMAT_TABLE)
        print_table(r);
    if (r->format == FORMAT_JSON)
        fputs(r->rows_n ? "\n]\n" : "]\n", stdout);
    buf_clear(&r->cells);
    json_object_put(r->row);
    free(r);
    return e ? ctl_fail("too many rows to keep: %s", err_name(e)) : CTL_OK;
}

/* ---- progress ---- */

void ctl_progress_begin(struct ctl_progress *p, const char *what, long long total)
{
    *p = (struct ctl_progress){.what = what, .total = total, .started_ms = clock_mono_ms()};
    p->told_ms = p->started_ms;
}

/* now_ms 0: without a rate, which says nothing about steps that differ. */
static void print_bar(const struct ctl_progress *p, long long now_ms)
{
    long long ms = now_ms ? now_ms - p->started_ms : 0;
    long long rate = ms > 0 ? p->done * 1000 / ms : 0;
    if (p->total <= 0) {
        fprintf(stderr, "%s: %lld, %lld/s", p->what, p->done, rate);
        return;
    }
    long long done = p->done < p->total ? p->done : p->total;
    int filled = (int)(done * BAR_WIDTH / p->total);
    fprintf(stderr, "%s: [", p->what);
    for (int i = 0; i < BAR_WIDTH; i++)
        fputc(i < filled ? '#' : '.', stderr);
    fprintf(stderr, "] %lld of %lld", p->done, p->total);
    if (now_ms)
        fprintf(stderr, ", %lld/s", rate);
    if (rate > 0 && done < p->total)
        fprintf(stderr, ", %lld s left", (p->total - done) / rate);
}

void ctl_progress_step(struct ctl_progress *p, long long done)
{
    bool is_terminal = isatty(STDERR_FILENO);
    long long now_ms = clock_mono_ms();
    p->done = done;
    if (now_ms - p->told_ms < (is_terminal ? TELL_TERMINAL_MS : TELL_LINE_MS))
        return;
    p->told_ms = now_ms;
    if (is_terminal)
        fputs("\r\033[K", stderr);
    print_bar(p, now_ms);
    if (!is_terminal)
        fputc('\n', stderr);
}

void ctl_progress_now(struct ctl_progress *p, long long done, const char *step)
{
    long long now_ms = clock_mono_ms();
    bool is_terminal = isatty(STDERR_FILENO);
    p->done = done;
    if (!is_terminal && now_ms - p->told_ms < TELL_LINE_MS)
        return;
    p->told_ms = now_ms > p->started_ms ? now_ms : p->started_ms + 1;
    if (is_terminal)
        fputs("\r\033[K", stderr);
    print_bar(p, 0);
    fprintf(stderr, ": %s%s", step, is_terminal ? "" : "\n");
}

void ctl_progress_end(struct ctl_progress *p)
{
    if (isatty(STDERR_FILENO) && p->told_ms != p->started_ms)
        fputs("\r\033[K", stderr);
}
