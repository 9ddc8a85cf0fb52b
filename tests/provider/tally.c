#include "tests/provider/tally.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 10000 };

struct tally_name {
    struct tally_name *next;
    int64_t seen;
    size_t len;
    char text[];
};

/* FNV-1a, 32 bits. */
static uint32_t name_hash(const char *name, size_t len)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619U;
    return hash;
}

static struct tally_name *name_find(struct tally_name *at, const char *name, size_t len)
{
    while (at != NULL && (at->len != len || memcmp(at->text, name, len) != 0))
        at = at->next;
    return at;
}

int64_t tally_see(struct tally_names *names, const char *name, size_t len)
{
    static const char other[] = "(other)";
    size_t bucket = name_hash(name, len) % TALLY_BUCKETS;
    struct tally_name *found = name_find(names->buckets[bucket], name, len);
    if (found == NULL && names->count >= NAMES_MAX) {
        name = other;
        len = sizeof(other) - 1;
        bucket = name_hash(name, len) % TALLY_BUCKETS;
        found = name_find(names->buckets[bucket], name, len);
    }
    if (found == NULL) {
        found = malloc(sizeof(*found) + len);
        if (found == NULL)
            return 0;
        found->seen = 0;
        found->len = len;
        memcpy(found->text, name, len);
        found->next = names->buckets[bucket];
        names->buckets[bucket] = found;
        names->count++;
    }
    return ++found->seen;
}

static void names_clear(struct tally_names *names)
{
    for (size_t i = 0; i < TALLY_BUCKETS; i++) {
        struct tally_name *at = names->buckets[i];
        while (at != NULL) {
            struct tally_name *next = at->next;
            free(at);
            at = next;
        }
    }
    *names = (struct tally_names){0};
}

void tally_clear(struct tally *t)
{
    names_clear(&t->models);
    names_clear(&t->keys);
}

void tally_reset(struct tally *t)
{
    int64_t in_flight = t->in_flight;
    int64_t connections_open = t->connections_open;
    tally_clear(t);
    *t = (struct tally){.in_flight = in_flight, .connections_open = connections_open};
}

static void names_print(const struct tally_names *names, const char *label, struct bytes *out)
{
    const char *comma = "";
    bytes_printf(out, ",\"%s\":{", label);
    for (size_t i = 0; i < TALLY_BUCKETS; i++) {
        for (const struct tally_name *at = names->buckets[i]; at != NULL; at = at->next) {
            bytes_puts(out, comma);
            bytes_put_quoted(out, at->text, at->len);
            bytes_puts(out, ":");
            bytes_put_int(out, at->seen);
            comma = ",";
        }
    }
    bytes_puts(out, "}");
}

void tally_print(const struct tally *t, struct bytes *out)
{
    const struct {
        const char *label;
        int64_t value;
    } counts[] = {
        {"requests",               t->requests              },
        {"bodies",                 t->bodies                },
        {"finished",               t->finished              },
        {"errors",                 t->errors                },
        {"cut_by_client",          t->cut_by_client         },
        {"cut_by_script",          t->cut_by_script         },
        {"in_flight",              t->in_flight             },
        {"in_flight_max",          t->in_flight_max         },
        {"other_requests",         t->other_requests        },
        {"prompt_tokens",          t->prompt_tokens         },
        {"completion_tokens",      t->completion_tokens     },
        {"completion_tokens_sent", t->completion_tokens_sent},
        {"connections_accepted",   t->connections_accepted  },
        {"connections_open",       t->connections_open      },
        {"connections_used",       t->connections_used      },
    };
    const char *comma = "{";
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        bytes_printf(out, "%s\"%s\":", comma, counts[i].label);
        bytes_put_int(out, counts[i].value);
        comma = ",";
    }
    comma = "";
    bytes_puts(out, ",\"statuses\":{");
    for (int status = 0; status < TALLY_STATUS_MAX; status++) {
        if (t->statuses[status] == 0)
            continue;
        bytes_printf(out, "%s\"%d\":", comma, status);
        bytes_put_int(out, t->statuses[status]);
        comma = ",";
    }
    bytes_puts(out, "}");
    names_print(&t->models, "models", out);
    names_print(&t->keys, "keys", out);
    bytes_puts(out, "}\n");
}
