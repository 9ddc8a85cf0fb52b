/* load - what goes on while something is killed: clients of several accounts, with whole answers
 * and streams of all lengths, some of which leave early; and a note of what each of them saw.
 *
 * Each account has a model of its own, so that the simulator counts what it served to whom. What
 * an answer costs is ordered in the request, hence known beforehand. One owner; the threads are
 * its own; load_ask may be called by the owner while they run. */
#ifndef TESTS_CRASH_LOAD_H
#define TESTS_CRASH_LOAD_H

#include "tests/e2e/admin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who asks. The tight one's money is spent soon; the probe and the racer ask only when told to. */
enum load_who { WHO_RICH, WHO_OTHER, WHO_MIDDLE, WHO_TIGHT, WHO_POOR, WHO_PROBE, WHO_RACER, WHO_N };

enum { LOAD_ID_SIZE = 27, LOAD_RACERS = 200 };

/* What came of one request. */
struct load_note {
    enum load_who who;
    int status; /* 0: no answer */
    bool is_stream;
    bool is_whole;  /* the answer came to its end; a stream's is [DONE] */
    bool has_left;  /* we left, as ordered */
    bool is_ours;   /* the gateway wrote it: it has a request id */
    bool is_shaped; /* an error in the words of the API */
    bool has_retry_after;
    int64_t cost_nusd; /* of the whole answer; none costs more */
    int64_t ended_us;
    char id[LOAD_ID_SIZE];
};

struct load;

/* load_random - the next number below n (n >= 1) of a seeded series. */
uint64_t load_random(uint64_t *state, uint64_t n);

/* load_model - the model that an account asks for. load_seed - makes them all; once a database. */
const char *load_model(enum load_who who);
void load_seed(void);

/* load_new - new accounts with new keys; nothing runs yet. load_start - so many threads ask until
 * load_stop, which waits for their last answers. */
struct load *load_new(uint64_t seed);
void load_start(struct load *l, int threads);
void load_stop(struct load *l);
void load_free(struct load *l);

/* load_ask - one request of this account, noted as well: a short whole answer. Returns its
 * status. */
int load_ask(struct load *l, enum load_who who);

/* load_stream - one stream of the rich account, of so many events at that pace, noted as well. */
void load_stream(struct load *l, int events, int pace_ms);

/* load_race - LOAD_RACERS whole requests at once of the racer, whose credit pays for one. Returns
 * how many were answered. */
int load_race(struct load *l);

const struct customer *load_customer(const struct load *l, enum load_who who);
/* load_recharged - what the account was given, in nano-USD. */
int64_t load_recharged(enum load_who who);

/* load_notes - all of them, once nothing runs. */
const struct load_note *load_notes(const struct load *l, size_t *n);

#endif
