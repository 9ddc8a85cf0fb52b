/* openai_chat_decode - what the files share that read a Chat request into its canonical form.
 *
 * openai_chat_decode_request.c reads the parameters, openai_chat_decode_common.c those that
 * Completions has, too, openai_chat_decode_messages.c the messages, openai_chat_decode_parts.c their
 * content, openai_chat_decode_tools.c tools and the choice of one. All memory is the canon's arena;
 * one thread. */
#ifndef AIPASS_UPSTREAM_OPENAI_CHAT_DECODE_H
#define AIPASS_UPSTREAM_OPENAI_CHAT_DECODE_H

#include "upstream/canon.h"
#include "upstream/format.h"

struct chat_decode {
    struct canon *canon;
    struct fault *fault;
};

/* Where parts go: to a turn, or into a result of it. */
struct chat_place {
    struct turn *turn;
    struct part *result; /* NULL: to the turn */
    const char *at;      /* of the message */
};

/* chat_refuse - "AT.MEMBER: TEXT" as the fault; member NULL: "AT: TEXT". ERR_BAD_REQUEST;
 * ERR_MEMORY. */
enum err chat_refuse(struct chat_decode *d, const char *at, const char *member, const char *text);

/* The typed readers of values that may be absent (raw.p NULL), which leave *out as it was.
 * ERR_BAD_REQUEST when it is of another kind; ERR_MEMORY. */
ERR_CHECK enum err chat_read_text(struct chat_decode *d, struct jvalue v, const char *at,
                                  const char *member, struct slice *out);
ERR_CHECK enum err chat_read_flag(struct chat_decode *d, struct jvalue v, const char *at,
                                  const char *member, int *out);
/* chat_read_name - a text that must be there and not empty. */
ERR_CHECK enum err chat_read_name(struct chat_decode *d, struct jvalue v, const char *at,
                                  const char *member, struct slice *out);

/* The parameters that Completions has, too: values by index of enum chat_common. */
enum chat_common {
    CHAT_TEMPERATURE,
    CHAT_TOP_P,
    CHAT_TOP_K,
    CHAT_SEED,
    CHAT_PRESENCE,
    CHAT_FREQUENCY,
    CHAT_STOP,
    CHAT_LOGIT_BIAS,
    CHAT_USER,
    CHAT_SAFETY,
    CHAT_CACHE_KEY,
    CHAT_TIER,
    CHAT_COMMON_COUNT
};
extern const char *const chat_common_names[CHAT_COMMON_COUNT + 1]; /* NULL at the end */

/* chat_read_common - all of them. safety_identifier wins over user. ERR_BAD_REQUEST, ERR_MEMORY. */
ERR_CHECK enum err chat_read_common(struct chat_decode *d, const struct jvalue *values);

/* chat_collect - the values of n top-level members by name; raw.p NULL: absent or null. */
void chat_collect(const struct format_request *in, const char *const *names, size_t n,
                  struct jvalue *values);

/* chat_drop_unknown - notes the members of the request that have a value and are in none of the
 * lists (NULL at the end of each). ERR_MEMORY. */
ERR_CHECK enum err chat_drop_unknown(struct chat_decode *d, const struct format_request *in,
                                     const char *const *const *lists, size_t lists_n);

/* chat_cache_mark - prompt_cache_breakpoint, or cache_control as clients of other vendors' models
 * send it, of a part or a tool. */
enum cache_mark chat_cache_mark(struct jvalue object);

/* The steps of chat_decode_request. Values may be absent. ERR_BAD_REQUEST, ERR_MEMORY. */
ERR_CHECK enum err chat_decode_messages(struct chat_decode *d, struct jvalue messages);
ERR_CHECK enum err chat_decode_content(struct chat_decode *d, struct chat_place *place,
                                       struct jvalue content);
/* chat_decode_images - message.images of an earlier answer. */
ERR_CHECK enum err chat_decode_images(struct chat_decode *d, struct chat_place *place,
                                      struct jvalue images);
ERR_CHECK enum err chat_decode_tools(struct chat_decode *d, struct jvalue tools,
                                     struct jvalue functions);
ERR_CHECK enum err chat_decode_web_search(struct chat_decode *d, struct jvalue options);
ERR_CHECK enum err chat_decode_choice(struct chat_decode *d, struct jvalue tool_choice,
                                      struct jvalue function_call);
/* chat_is_legacy - the request used `functions`: its answer has function_call. */
bool chat_is_legacy(const struct canon *c);

#endif
