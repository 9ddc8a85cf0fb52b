/* anthropic_encode - a canonical request as a body in Anthropic's format: what its files share.
 * anthropic_encode_request.c writes the body, anthropic_encode_content.c the contents of messages,
 * anthropic_encode_tools.c chooses and writes the tools, anthropic_encode_choice.c decides about
 * thinking, forced tools and structured output, which depend on each other. One request; one
 * thread. */
#ifndef AIPASS_UPSTREAM_ANTHROPIC_ENCODE_H
#define AIPASS_UPSTREAM_ANTHROPIC_ENCODE_H

#include "upstream/anthropic.h"
#include "upstream/translate.h"

enum thinking_form { THINKING_UNSET, THINKING_DISABLED, THINKING_ADAPTIVE, THINKING_BUDGET };

struct anthropic_encode {
    struct canon *c;
    struct plan *p;
    const struct capability *cap;
    struct jwrite w;
    size_t system_n; /* leading turns that are the system prompt */
    int64_t max_out;
    bool is_own_max; /* the client named no limit */

    /* cache marks: the provider takes 4, and no long one after a short one */
    size_t marks_left_out; /* of those that still come */
    bool has_short_mark;

    bool *is_sent; /* by tool: it is declared */
    size_t sent_n;
    enum tool_choice choice;  /* UNSET, AUTO, NONE, ANY or ONE */
    struct slice choice_name; /* ONE: the safe name */
    bool is_serial;           /* no parallel calls */
    struct slice must_call;   /* instead of forcing: the system line that asks for it; p NULL */
    enum thinking_form thinking;
    int64_t budget;
    enum effort effort;
};

/* anthropic_choose_tools - sets is_sent, sent_n. anthropic_choose - all else from choice on.
 * ERR_BAD_REQUEST, ERR_MEMORY. */
ERR_CHECK enum err anthropic_choose_tools(struct anthropic_encode *r);
ERR_CHECK enum err anthropic_choose(struct anthropic_encode *r);

/* The writers: of jwrite's errors none is returned. */
ERR_CHECK enum err anthropic_write_tools(struct anthropic_encode *r);
void anthropic_write_choice(struct anthropic_encode *r);
ERR_CHECK enum err anthropic_write_system(struct anthropic_encode *r);
ERR_CHECK enum err anthropic_write_messages(struct anthropic_encode *r);
/* anthropic_write_mark - cache_control of the object that is being written, if it has a mark that
 * is among the last. */
void anthropic_write_mark(struct anthropic_encode *r, enum cache_mark mark);

#endif
