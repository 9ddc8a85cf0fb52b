/* prompt_size - counts a request's input for holds and estimates: text without base64 payloads,
 * payloads by number, and the head of the prompt that names the conversation.
 *
 * One walk over one stretch of the body (the messages), payloads in the order in which they stand;
 * then whole other stretches. One thread. */
#ifndef AIPASS_UPSTREAM_PROMPT_SIZE_H
#define AIPASS_UPSTREAM_PROMPT_SIZE_H

#include "upstream/format.h"

struct prompt_size {
    struct arena *arena;
    struct format_request *out;
    const char *counted;              /* the text up to here is in out->text, or was left out */
    struct slice system, user, first; /* the first message of each role, raw, and of any */
};

/* prompt_size_begin - stretch: what payloads are inside of. Sets out->text_bytes to the body's. */
void prompt_size_begin(struct prompt_size *p, struct arena *a, struct format_request *out,
                       struct slice stretch);
/* prompt_size_bytes - a string value with base64, or a data URL with base64 in it: counts one to
 * *counter and leaves the payload out of the text. Other kinds and empty strings: nothing. */
void prompt_size_bytes(struct prompt_size *p, struct jvalue v, int64_t *counter);
/* prompt_size_url - a string value: a data URL as prompt_size_bytes, another URL is a reference. */
void prompt_size_url(struct prompt_size *p, struct jvalue v, int64_t *counter);
/* prompt_size_audio - an object {"data": base64}: as prompt_size_bytes, counted in out->audios. */
void prompt_size_audio(struct prompt_size *p, struct jvalue v);
/* prompt_size_tools - a list of tools (raw.p NULL: none): one of a type that is not among plain (raw
 * JSON strings) is run by the provider, and what it finds is input too: a reference. */
void prompt_size_tools(struct prompt_size *p, struct jvalue tools, const char *const *plain,
                       size_t plain_n);
/* prompt_size_head - a message of the walk; is_system, is_user: its role. */
void prompt_size_head(struct prompt_size *p, struct slice raw, bool is_system, bool is_user);
/* prompt_size_end - the rest of the stretch. prompt_size_more - another stretch without payloads;
 * p NULL allowed. */
void prompt_size_end(struct prompt_size *p, struct slice stretch);
void prompt_size_more(struct prompt_size *p, struct slice stretch);
/* prompt_size_affinity - out->affinity from the heads, unless it is set already. ERR_MEMORY. */
ERR_CHECK enum err prompt_size_affinity(struct prompt_size *p);

#endif
