/* config_table - the rows of config's table and what one row can do. For config.c and its tests
 * only.
 *
 * The rows are constant; the values belong to the struct config that is given. Any thread. */
#ifndef AIPASS_BASE_CONFIG_TABLE_H
#define AIPASS_BASE_CONFIG_TABLE_H

#include "base/config.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SETTING_NAME_SIZE 32 /* of the longest name, with its NUL */

enum setting_type {
    TYPE_COUNT, /* int64_t, plain digits */
    TYPE_BYTES, /* int64_t, k, m and g allowed */
    TYPE_MONEY, /* int64_t nano-USD, written in USD */
    TYPE_TEXT,  /* char * */
    TYPE_WORD,  /* char *, one of words */
    TYPE_CHOICE /* bool: the second of the two words */
};

struct setting {
    const char *name;
    const char *group; /* heading; on the first setting of a group only */
    const char *help;  /* one or more lines */
    enum setting_type type;
    size_t at; /* offset in struct config */
    int64_t min, max;
    const char *initial; /* as it would stand in the file */
    const char *words;   /* "one two three" */
    bool (*check)(const char *value);
    const char *allowed; /* what check lets pass, in words */
};

extern const struct setting settings[];
extern const size_t settings_n;

/* setting_find - NULL when there is none of that name. setting_nearest - the most similar name,
 * never NULL. */
const struct setting *setting_find(const char *name);
const struct setting *setting_nearest(const char *name);

/* setting_set - parses value into c. ERR_FORMAT: not a value of that type; ERR_RANGE: outside the
 * bounds; ERR_MEMORY. c is unchanged then. */
ERR_CHECK enum err setting_set(struct config *c, const struct setting *s, const char *value);

/* setting_print_allowed - what it takes: "1 to 16384". */
void setting_print_allowed(const struct setting *s, FILE *out);

/* setting_is_text - its value is a char * in struct config; setting_text - where. */
bool setting_is_text(const struct setting *s);
char **setting_text(struct config *c, const struct setting *s);

#endif
