/* raw_server - a provider made of sockets for tests: plain or TLS, one thread a connection, told
 * by the path of each request how to behave or misbehave.
 *
 * Listens on a free port of 127.0.0.1. Start and stop it in one test; any thread may read the
 * counters. */
#ifndef AIPASS_TESTS_RAW_SERVER_H
#define AIPASS_TESTS_RAW_SERVER_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define RAW_REQUEST_MAX ((size_t)1 << 22)

struct raw_server;

/* One connection, in its own thread. */
struct raw_conn;

/* One request as it was read. */
struct raw_request {
    struct slice head; /* request line and headers */
    struct slice path;
    struct slice body;
    int nth; /* on this connection, from 0 */
};

/* raw_server_start - handler serves one request; false closes the connection. dir: where the
 * certificate cert.pem is written; NULL: plain. */
typedef bool raw_handler(struct raw_conn *c, const struct raw_request *r);
struct raw_server *raw_server_start(raw_handler *handler, const char *dir);
/* raw_server_stop - cuts all connections and joins all threads. */
void raw_server_stop(struct raw_server *s);

/* raw_server_port - where it listens, on 127.0.0.1. */
int raw_server_port(const struct raw_server *s);
/* raw_server_connections - accepted so far; raw_server_resumed - TLS handshakes that used a
 * session from before. */
int raw_server_connections(struct raw_server *s);
int raw_server_resumed(struct raw_server *s);

/* For handlers. raw_send - false when the connection is gone. */
bool raw_send(struct raw_conn *c, struct slice bytes);
bool raw_send_z(struct raw_conn *c, const char *text);
/* raw_wait_close - until the client closes or the server stops. */
void raw_wait_close(struct raw_conn *c);
/* raw_reset - the next close sends RST. */
void raw_reset(struct raw_conn *c);

#endif
