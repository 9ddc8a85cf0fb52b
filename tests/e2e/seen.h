/* seen - what a provider simulator has seen: its counts and its last requests, by its own paths
 * /_tally and /_last.
 *
 * sim: index of the simulator in the stack. Texts lie in the ring of http.h. Fails the test when
 * the simulator does not answer. */
#ifndef TESTS_E2E_SEEN_H
#define TESTS_E2E_SEEN_H

#include <stdint.h>

/* seen_count - a number of the tally by path: "requests", "statuses.200", "models.demo"; 0 when
 * absent. */
int64_t seen_count(int sim, const char *path);

/* seen_request - the newest request whose body contains `needle`, as JSON:
 * {"number","method","path","headers":[[name,value]],"body",
 * "body_bytes","status","outcome",...}; NULL when there is none among the last 64. */
const char *seen_request(int sim, const char *needle);

/* seen_newest - the newest request, whatever it is. */
const char *seen_newest(int sim);

/* seen_header - the value of a header in what the two above returned; NULL when absent. name:
 * any case. */
const char *seen_header(const char *request, const char *name);

#endif
