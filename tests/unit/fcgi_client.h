/* fcgi_client - the web server's side of FastCGI (fastcgi-archives.github.io, FastCGI
 * Specification 1.0), just enough to test ours.
 *
 * Every function fails the running Check test when a system call fails. */
#ifndef AIPASS_TESTS_UNIT_FCGI_CLIENT_H
#define AIPASS_TESTS_UNIT_FCGI_CLIENT_H

#include "base/str.h"

#include <stdbool.h>

#define FCGI_CLIENT_ANSWER_MAX ((size_t)1 << 20)

struct fcgi_answer {
    int status;    /* of the Status line; 0: the connection ended without an answer */
    bool is_ended; /* the end record came */
    size_t n;
    char text[FCGI_CLIENT_ANSWER_MAX + 1]; /* head and body */
    const char *body;
};

/* fcgi_client_connect - a connection to the unix socket; -1 when it is refused. */
int fcgi_client_connect(const char *path);

struct fcgi_client_request {
    const char *method;
    const char *uri;
    struct slice body;
    long content_length; /* -1: as long as body */
    bool keep;           /* the connection stays open after the answer */
    bool is_unfinished;  /* no end record after the body */
};
/* fcgi_client_send - writes the whole request. Returns false when the other side has closed. */
bool fcgi_client_send(int fd, const struct fcgi_client_request *r);

/* fcgi_client_read - reads one answer to its end record, or to the end of the connection, or for
 * timeout_ms. */
void fcgi_client_read(int fd, struct fcgi_answer *a, int timeout_ms);

/* fcgi_client_get - connect, GET, read, close. Returns the status. */
int fcgi_client_get(const char *path, const char *uri, struct fcgi_answer *a);

#endif
