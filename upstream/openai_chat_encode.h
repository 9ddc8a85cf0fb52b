/* openai_chat_encode - what the files share that write a canonical request as a Chat request.
 *
 * openai_chat_encode_request.c writes the parameters, openai_chat_encode_messages.c the messages,
 * openai_chat_encode_media.c images, audio and files, openai_chat_encode_tools.c tools and the choice
 * of one. The bytes depend on the request alone, for the providers' prompt caches. One request; one
 * thread. */
#ifndef AIPASS_UPSTREAM_OPENAI_CHAT_ENCODE_H
#define AIPASS_UPSTREAM_OPENAI_CHAT_ENCODE_H

#include "base/jwrite.h"
#include "upstream/translate.h"

struct chat_encode {
    struct canon *canon;
    struct plan *plan;
    const struct capability *capability;
    struct jwrite w;
    /* OpenAI itself, or a provider that takes all of its members: by has_max_completion_tokens */
    bool is_openai;
    /* lines for the model that stand for what the provider cannot be told otherwise; p NULL: none */
    struct slice first_line; /* at the end of the system prompt */
    struct slice last_line;  /* as the last message */
};

/* The steps of chat_encode_request: each writes members of the open object. ERR_BAD_REQUEST with the
 * plan's fault, ERR_MEMORY; errors of the buffer stay in w. */
ERR_CHECK enum err chat_encode_messages(struct chat_encode *x);
/* chat_encode_tools - comes before the messages: it may set last_line. */
ERR_CHECK enum err chat_encode_tools(struct chat_encode *x);

/* chat_is_media - the part is written by chat_encode_media, as a part of a user's content. */
bool chat_is_media(const struct part *p);
ERR_CHECK enum err chat_encode_media(struct chat_encode *x, const struct part *p);
/* chat_encode_image - {type: image_url, image_url: {url}} of any message. */
ERR_CHECK enum err chat_encode_image(struct chat_encode *x, const struct part *p);

/* chat_encode_name - the name of a tool that this provider allows; n 0 when memory is out. */
struct slice chat_encode_name(struct chat_encode *x, struct slice own);

#endif
