#include "tests/provider/gemini.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

static const char words[] =
    "type format title description nullable enum maxItems minItems properties required "
    "minProperties maxProperties minLength maxLength pattern example anyOf propertyOrdering "
    "default "
    "items minimum maximum max_items min_items property_ordering any_of";

static void check_at(struct ask *ask, const struct node *n, const char *where, int depth);

static void check_enum(struct ask *ask, const struct node *n, struct span type, const char *where)
{
    const struct node *list = node_get(n, "enum");
    if (list == NULL)
        return;
    if (!span_is_nocase(type, "string"))
        ask_refuse(ask, "%s.enum: only allowed for STRING type", where);
    for (const struct node *c = list->child; c != NULL; c = c->next)
        if (c->kind != '"')
            ask_refuse(ask, "Invalid value at '%s.enum' (TYPE_STRING)", where);
        else if (c->raw.len == 0)
            ask_refuse(ask, "%s.enum: cannot be empty", where);
}

static void check_object(struct ask *ask, const struct node *n, const char *where, int depth)
{
    const struct node *properties = node_get(n, "properties");
    const struct node *required = node_get(n, "required");
    char inner[200];
    if (node_kind(properties) != '{' || properties->child == NULL) {
        ask_refuse(ask, "%s.properties: should be non-empty for OBJECT type", where);
        return;
    }
    for (const struct node *c = properties->child; c != NULL; c = c->next) {
        snprintf(inner, sizeof(inner), "%s.properties[%.*s]", where, span_shown(c->key), c->key.at);
        check_at(ask, c, inner, depth + 1);
    }
    for (const struct node *c = required != NULL ? required->child : NULL; c != NULL; c = c->next) {
        const struct node *found = properties->child;
        struct span name = node_text(c);
        while (found != NULL &&
               (found->key.len != name.len || memcmp(found->key.at, name.at, name.len) != 0))
            found = found->next;
        if (found == NULL)
            ask_refuse(ask, "%s.required: property is not defined: %.*s", where, span_shown(name),
                       name.at);
    }
}

static void check_at(struct ask *ask, const struct node *n, const char *where, int depth)
{
    const struct node *type = node_get(n, "type");
    const struct node *choice = node_get_either(n, "anyOf", "any_of");
    struct span word = node_text(type);
    char inner[200];
    if (depth > DEPTH_MAX || node_kind(n) != '{') {
        ask_refuse(ask, "Invalid value at '%s'", where);
        return;
    }
    gemini_expect_only(ask, n, words, where);
    if (node_kind(type) == '[')
        ask_refuse(ask, "Proto field is not repeating, cannot start list: '%s.type'", where);
    else if (type != NULL &&
             !node_in(word, "STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT NULL string "
                            "number integer boolean array object null"))
        ask_refuse(ask, "Invalid value at '%s.type' (type.googleapis.com/google.ai.Type), \"%.*s\"",
                   where, span_shown(word), word.at);
    check_enum(ask, n, word, where);
    if (span_is_nocase(word, "object"))
        check_object(ask, n, where, depth);
    snprintf(inner, sizeof(inner), "%s.items", where);
    if (span_is_nocase(word, "array") && node_get(n, "items") == NULL)
        ask_refuse(ask, "%s: missing field", inner);
    if (node_get(n, "items") != NULL)
        check_at(ask, node_get(n, "items"), inner, depth + 1);
    snprintf(inner, sizeof(inner), "%s.any_of", where);
    for (const struct node *c = choice != NULL ? choice->child : NULL; c != NULL; c = c->next)
        check_at(ask, c, inner, depth + 1);
}

void gemini_check_schema(struct ask *ask, const struct node *schema, const char *where)
{
    check_at(ask, schema, where, 0);
}
