/* tally - what the simulator has done, counted for the invariants of the tests.
 *
 * One tally in the process. Requests to the simulator's own paths (/_...) are not counted. One
 * thread.
 */
#ifndef TESTS_PROVIDER_TALLY_H
#define TESTS_PROVIDER_TALLY_H

#include "tests/provider/bytes.h"

enum { TALLY_STATUS_MAX = 600, TALLY_BUCKETS = 256 };

struct tally_name; /* a name and how often it was seen */

struct tally_names {
    struct tally_name *buckets[TALLY_BUCKETS];
    size_t count;
};

struct tally {
    int64_t requests;      /* heads of requests for answers received whole */
    int64_t bodies;        /* of these: body received whole */
    int64_t finished;      /* of these: answers of status 2xx sent to their end */
    int64_t errors;        /* of these: other answers sent to their end */
    int64_t cut_by_client; /* client went away before the end, or before its body was whole */
    int64_t cut_by_script; /* reset, cut, eof or error_in ended the answer early */
    int64_t in_flight;
    int64_t in_flight_max;          /* most at once */
    int64_t other_requests;         /* /models and paths that do not exist */
    int64_t prompt_tokens;          /* as reported, of finished answers */
    int64_t completion_tokens;      /* as reported, of finished answers */
    int64_t completion_tokens_sent; /* content chunks sent, of all answers */
    int64_t connections_accepted;
    int64_t connections_open;
    int64_t connections_used; /* that carried at least one counted request */
    int64_t statuses[TALLY_STATUS_MAX];
    struct tally_names models;
    struct tally_names keys;
};

/* tally_see - count one more occurrence of a name; returns how many there were. Names beyond 10,000 count under "(other)". */
int64_t tally_see(struct tally_names *names, const char *name, size_t len);

/* tally_reset - set all counts to 0 but those of what is open now. */
void tally_reset(struct tally *t);

/* tally_print - append the counts as a JSON object. */
void tally_print(const struct tally *t, struct bytes *out);

/* tally_clear - free the names. */
void tally_clear(struct tally *t);

#endif
