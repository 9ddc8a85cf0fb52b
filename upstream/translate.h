/* translate - one exchange between a client format and a provider format that differ: the request
 * on its way out, the answer on its way back, as one code path for streams and whole answers.
 *
 * upstream/format.h's struct format holds what each format can do; this joins two of them. The
 * memory is the request's arena and two buffers that translation_clear frees. One exchange; one
 * thread. */
#ifndef AIPASS_UPSTREAM_TRANSLATE_H
#define AIPASS_UPSTREAM_TRANSLATE_H

#include "upstream/canon.h"
#include "upstream/capability.h"
#include "upstream/event.h"
#include "upstream/format.h"
#include "upstream/tool_names.h"

/* What a request encoder decides that the answer's way back must know. */
struct plan {
    struct arena *arena;
    const char *model; /* the provider's name */
    const struct capability *capability;
    int64_t output_max_inject; /* >= 0: the output limit when the client named none */
    struct tool_names names;   /* names go out by tool_names_safe and come back by translate */
    struct slice answer_tool;  /* a forced tool stands for structured output: its arguments are the
                                  answer's text; p NULL: none */
    bool cuts_stops;           /* the format has no stop sequences: translate cuts at canon.stops */
    struct drops drops;
    struct fault *fault; /* filled with ERR_BAD_REQUEST */
};

/* canon_prepare - makes a decoded request fit for the encoder of a target: seals of another vendor
 * or model go, and thinking with them unless the capability wants_reasoning (for Gemini a seal moves
 * to the part that follows); empty texts and turns go; then canon_pair. ERR_MEMORY. */
ERR_CHECK enum err canon_prepare(struct canon *c, const struct plan *p, enum vendor target);

/* canon_pair - ids of calls become legal and unique; each result follows its call (a missing one is
 * inserted, one without a call becomes text), in the order of the calls, and knows its tool's name
 * and is_custom. ERR_MEMORY. */
ERR_CHECK enum err canon_pair(struct canon *c);

/* canon_alternate - merges neighbouring turns of one role and makes the first turn after the system
 * prompt a user's, for Anthropic and Gemini. System turns in the middle become user text in
 * <system> tags unless keeps_system. *system_n: how many leading turns are the system prompt (they
 * stay apart). ERR_MEMORY. */
ERR_CHECK enum err canon_alternate(struct canon *c, bool keeps_system, size_t *system_n);

/* plan_fault - refuses: "PATH: TEXT" as the plan's fault. Returns ERR_BAD_REQUEST or ERR_MEMORY. */
enum err plan_fault(struct plan *p, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* translate_request - the body for a provider of another format. edits of t apply to its top level.
 * dropped: out, names for x-aipass-dropped. ERR_BAD_REQUEST with *fault: the request cannot be
 * carried to this target; ERR_MEMORY; ERR_FORMAT as write_request. */
struct translation;
ERR_CHECK enum err translate_request(struct translation *x, const struct format_target *t,
                                     struct splice *out, struct fault *fault);

/* translation_new - from == client's format, to == provider's. in: the client's request as read by
 * from->read_request. May be used for a first attempt with one provider and again for the next by a
 * new translation. NULL when memory is out. */
struct translation *translation_new(struct arena *a, const struct format *from,
                                    const struct format *to, const struct format_request *in,
                                    const struct capability *capability);
/* translation_allow_fetch - what stands in the request by URL is fetched where to takes bytes only
 * (fetch.h). NULL: such a request is refused, as without this call. */
struct fetcher;
void translation_allow_fetch(struct translation *x, struct fetcher *f);
void translation_clear(struct translation *x);
const struct drops *translation_drops(const struct translation *x);

/* translation_attach - makes r read the provider's answer through x: its read_event gives
 * replacements in the client's format. r was made by reader_init for the client's format.
 * request_id, created_s: for ids of our own. ERR_MEMORY. */
ERR_CHECK enum err translation_attach(struct translation *x, struct reader *r,
                                      const char *request_id, int64_t created_s);

#endif
