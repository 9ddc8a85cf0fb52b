/* play - the bytes of one answer, in the order and at the times that its script asks for.
 *
 * A play belongs to its connection and is told the time; it neither sends nor waits. The caller
 * takes bytes with play_next until it says what to do instead. One thread.
 *
 *   START --ms--> EVENTS (piece by piece) or REST (whole body) --> OVER
 */
#ifndef TESTS_PROVIDER_PLAY_H
#define TESTS_PROVIDER_PLAY_H

#include "tests/provider/answer.h"

enum play_verdict {
    PLAY_MORE,  /* bytes were appended; call again */
    PLAY_WAIT,  /* send what there is, call again at play->due_us */
    PLAY_HANG,  /* send what there is, then nothing any more */
    PLAY_RESET, /* send what there is, then reset the connection */
    PLAY_CUT,   /* send what there is, then close */
    PLAY_END,   /* the answer is complete */
};

enum play_stage { PLAY_START, PLAY_EVENTS, PLAY_REST, PLAY_OVER };

struct play {
    enum play_stage stage;
    enum play_verdict last;      /* what to do when OVER */
    const struct format *format; /* NULL: a fixed body */
    struct answer answer;        /* with a format */
    struct bytes body;           /* the whole answer, or an error */
    int status;
    int minor_version;
    const char *content_type;
    bool is_keep_alive; /* may be turned off by the script */
    bool is_unsized;    /* the body's length is not said in the head */
    bool is_chunked;
    bool is_unfinished; /* an array gets no closing bracket */
    bool is_cut_short;  /* the script ended the answer before its end */
    int64_t begun_us;
    int64_t first_event_us;
    int64_t due_us;
};

/* play_answer - prepare an answer in a format. play->answer is complete; the script's status makes
 * it an error. */
void play_answer(struct play *p, const struct format *format);

/* play_body - prepare a fixed answer; its body is in play->body already. */
void play_body(struct play *p, int status, const char *content_type);

/* play_next - append the next bytes to out, at most an event or a whole body at a time. */
enum play_verdict play_next(struct play *p, int64_t now_us, struct bytes *out);

/* play_reset - be ready for another request, keeping the memory of small buffers. */
void play_reset(struct play *p);

/* play_clear - free everything. */
void play_clear(struct play *p);

#endif
