/* anthropic_decode - a client's request in Anthropic's format as a canonical one: what its files
 * share. anthropic_decode_request.c reads the body and its parameters, anthropic_decode_content.c
 * the contents of messages, anthropic_decode_tools.c the tools. One request; one thread. */
#ifndef AIPASS_UPSTREAM_ANTHROPIC_DECODE_H
#define AIPASS_UPSTREAM_ANTHROPIC_DECODE_H

#include "upstream/anthropic.h"

struct anthropic_decode {
    struct canon *c;
    struct fault *fault;
};

/* decode_path - the path of an item, in the arena; NULL when memory is out. */
#define decode_path(d, ...) arena_printf((d)->c->arena, __VA_ARGS__)

/* anthropic_decode_fail - "AT: TEXT"; at NULL: memory was out when it was made. */
enum err anthropic_decode_fail(struct anthropic_decode *d, const char *at, const char *text);
/* anthropic_decode_text - a string's text. ERR_BAD_REQUEST when it is none. */
ERR_CHECK enum err anthropic_decode_text(struct anthropic_decode *d, struct jvalue v,
                                         const char *at, struct slice *out);
/* anthropic_decode_mark - a cache_control value. */
enum cache_mark anthropic_decode_mark(struct jvalue v);

/* anthropic_decode_content - a message's content as parts of the turn that was added last. */
ERR_CHECK enum err anthropic_decode_content(struct anthropic_decode *d, struct jvalue content,
                                            const char *at);

/* anthropic_decode_tools, anthropic_decode_choice - `tools` and `tool_choice`. */
ERR_CHECK enum err anthropic_decode_tools(struct anthropic_decode *d, struct jvalue tools);
ERR_CHECK enum err anthropic_decode_choice(struct anthropic_decode *d, struct jvalue choice);

#endif
