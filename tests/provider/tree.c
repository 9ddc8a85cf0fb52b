#include "tests/provider/tree.h"

#include "tests/provider/scan.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_NODES = 256, EXAMPLE_DEPTH_MAX = 24 };

struct block {
    struct block *next;
    struct node nodes[BLOCK_NODES];
};

static struct block *blocks;
static struct block *filling;
static size_t filled;

static struct node *node_new(void)
{
    if (filling == NULL || filled == BLOCK_NODES) {
        struct block *next = filling == NULL ? blocks : filling->next;
        if (next == NULL) {
            next = calloc(1, sizeof(*next));
            if (next == NULL)
                abort();
            if (filling == NULL)
                blocks = next;
            else
                filling->next = next;
        }
        filling = next;
        filled = 0;
    }
    struct node *n = &filling->nodes[filled++];
    *n = (struct node){0};
    return n;
}

static struct node *read_value(struct scan *s);

static void read_children(struct scan *s, struct node *n)
{
    bool is_first = true;
    struct span key = {0};
    struct node **end = &n->child;
    scan_open(s, n->kind);
    while (n->kind == '{' ? scan_member(s, &is_first, &key) : scan_element(s, &is_first)) {
        struct node *child = read_value(s);
        child->key = key;
        *end = child;
        end = &child->next;
        n->count++;
        if (s->bad)
            return;
    }
}

/* Recursion is bounded by the depth that scan_open allows. */
static struct node *read_value(struct scan *s)
{
    struct node *n = node_new();
    n->kind = scan_peek(s);
    const char *begin = s->at;
    if (n->kind == '"') {
        scan_string(s, &n->raw);
        return n;
    }
    if (n->kind == '{' || n->kind == '[')
        read_children(s, n);
    else
        scan_skip(s);
    if (n->kind == '-' || (n->kind >= '0' && n->kind <= '9'))
        n->kind = '0';
    n->raw = (struct span){begin, (size_t)(s->at - begin)};
    return n;
}

struct node *tree_parse(const char *text, size_t len)
{
    struct scan s = scan_begin(text, len);
    filling = NULL;
    filled = 0;
    struct node *root = read_value(&s);
    return scan_end(&s) ? root : NULL;
}

struct node *node_get(const struct node *n, const char *key)
{
    struct node *found = NULL;
    for (struct node *c = n != NULL && n->kind == '{' ? n->child : NULL; c != NULL; c = c->next)
        if (span_is(c->key, key))
            found = c->kind == 'n' ? NULL : c;
    return found;
}

struct node *node_get_either(const struct node *n, const char *key, const char *other)
{
    struct node *found = node_get(n, key);
    return found != NULL ? found : node_get(n, other);
}

struct node *node_first(const struct node *n)
{
    return n != NULL && n->kind == '[' ? n->child : NULL;
}

char node_kind(const struct node *n)
{
    return n != NULL ? n->kind : (char)0;
}

bool node_is(const struct node *n, const char *text)
{
    return n != NULL && n->kind == '"' && span_is(n->raw, text);
}

struct span node_text(const struct node *n)
{
    return n != NULL && n->kind == '"' ? n->raw : (struct span){"", 0};
}

int64_t node_int(const struct node *n, int64_t otherwise)
{
    int64_t value;
    if (node_kind(n) != '0')
        return otherwise;
    struct scan s = scan_begin(n->raw.at, n->raw.len);
    return scan_int(&s, &value) ? value : otherwise;
}

double node_real(const struct node *n, double otherwise)
{
    char text[64];
    if (node_kind(n) != '0' || n->raw.len >= sizeof(text))
        return otherwise;
    memcpy(text, n->raw.at, n->raw.len);
    text[n->raw.len] = 0;
    return strtod(text, NULL);
}

bool node_in(struct span text, const char *words)
{
    while (*words != 0) {
        size_t len = strcspn(words, " ");
        if (len == text.len && memcmp(words, text.at, len) == 0)
            return true;
        words += len + (words[len] == ' ');
    }
    return false;
}

const struct node *node_stranger(const struct node *n, const char *words)
{
    for (struct node *c = node_kind(n) == '{' ? n->child : NULL; c != NULL; c = c->next)
        if (!node_in(c->key, words))
            return c;
    return NULL;
}

void node_put(const struct node *n, struct bytes *out)
{
    const char *quote = node_kind(n) == '"' ? "\"" : "";
    if (n == NULL) {
        bytes_puts(out, "null");
        return;
    }
    bytes_puts(out, quote);
    bytes_put_span(out, n->raw);
    bytes_puts(out, quote);
}

/* ---- an example for a schema ------------------------------------------------------------- */

struct example {
    const struct node *root;
    struct span said;
    struct bytes *out;
};

/* What "#/$defs/name" and "#/definitions/name" point at. */
static const struct node *find_reference(const struct node *root, struct span path)
{
    const struct node *at = root;
    size_t from = 2;
    while (at != NULL && from <= path.len) {
        const char *begin = path.at + from;
        const char *slash = memchr(begin, '/', path.len - from);
        size_t len = slash != NULL ? (size_t)(slash - begin) : path.len - from;
        const struct node *next = NULL;
        for (struct node *c = at->kind == '{' ? at->child : NULL; c != NULL; c = c->next)
            if (c->key.len == len && memcmp(c->key.at, begin, len) == 0)
                next = c;
        at = next;
        from += len + 1;
    }
    return at;
}

static void put_value(const struct example *e, const struct node *n, int depth);

static void put_object(const struct example *e, const struct node *n, int depth)
{
    const struct node *properties = node_get(n, "properties");
    const char *comma = "";
    bytes_puts(e->out, "{");
    for (struct node *c = properties != NULL ? properties->child : NULL; c != NULL; c = c->next) {
        bytes_puts(e->out, comma);
        bytes_puts(e->out, "\"");
        bytes_put_span(e->out, c->key);
        bytes_puts(e->out, "\":");
        put_value(e, c, depth + 1);
        comma = ",";
    }
    bytes_puts(e->out, "}");
}

static void put_scalar(const struct example *e, struct span type, const struct node *n)
{
    int64_t least = node_int(node_get(n, "minimum"), 1);
    if (span_is_nocase(type, "integer") || span_is_nocase(type, "number"))
        bytes_put_int(e->out, least > 1 ? least : 1);
    else if (span_is_nocase(type, "boolean"))
        bytes_puts(e->out, "true");
    else if (span_is_nocase(type, "null"))
        bytes_puts(e->out, "null");
    else {
        bytes_puts(e->out, "\"");
        bytes_put_span(e->out, e->said);
        bytes_puts(e->out, "\"");
    }
}

static void put_value(const struct example *e, const struct node *n, int depth)
{
    const struct node *reference = node_get(n, "$ref");
    const struct node *choice = node_get_either(n, "anyOf", "oneOf");
    const struct node *list = node_get(n, "enum");
    const struct node *type = node_get(n, "type");
    if (depth > EXAMPLE_DEPTH_MAX) {
        bytes_puts(e->out, "null");
        return;
    }
    if (node_kind(type) == '[')
        type = type->child;
    struct span word = node_text(type);
    if (reference != NULL)
        put_value(e, find_reference(e->root, node_text(reference)), depth + 1);
    else if (node_get(n, "const") != NULL)
        node_put(node_get(n, "const"), e->out);
    else if (node_kind(list) == '[' && list->child != NULL)
        node_put(list->child, e->out);
    else if (node_kind(choice) == '[' && choice->child != NULL)
        put_value(e, choice->child, depth + 1);
    else if (span_is_nocase(word, "object") || node_get(n, "properties") != NULL)
        put_object(e, n, depth);
    else if (span_is_nocase(word, "array")) {
        bytes_puts(e->out, "[");
        put_value(e, node_get(n, "items"), depth + 1);
        bytes_puts(e->out, "]");
    } else
        put_scalar(e, word, n);
}

void node_put_example(const struct node *n, const struct node *root, struct span said,
                      struct bytes *out)
{
    struct example e = {root, said, out};
    put_value(&e, n, 0);
}
