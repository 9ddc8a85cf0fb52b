/* selftest - /v1/selftest: what a web server does to requests and streams, without a provider and without a charge.
 *
 * GET streams events: `events` (5, at most 100) of them, `pace_ms` (100, at most 1000) apart, then `silence_ms` (0, at most 120000) of silence with the pings of a real
 * stream, and a last event. POST tells how many bytes of body came and their SHA-256. aipassctl doctor asks both. */
#ifndef AIPASS_HANDLERS_SELFTEST_H
#define AIPASS_HANDLERS_SELFTEST_H

#include "fcgi/router.h"

route_handler_fn selftest_stream;
route_handler_fn selftest_body;

#endif
