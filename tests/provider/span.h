/* span - a view of bytes that belong to somebody else.
 *
 * Valid as long as what it points into; owns nothing. Any thread. Inline, so that whoever only
 * looks at bytes needs no object file for it.
 */
#ifndef TESTS_PROVIDER_SPAN_H
#define TESTS_PROVIDER_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *at;
    size_t len;
};

/* span_of - the view of a C string. */
static inline struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* span_is - whether the span holds exactly this text. */
static inline bool span_is(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

/* span_is_nocase - the same, letters of either case. */
static inline bool span_is_nocase(struct span s, const char *text)
{
    return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

/* span_shown - how much of a span a refusal repeats, for "%.*s". */
static inline int span_shown(struct span s)
{
    return s.len > 60 ? 60 : (int)s.len;
}

#endif
