/* cgi - the one request of a plain CGI process, as a transport over stdin, stdout and the
 * environment.
 *
 * Owner: the main thread. SIGTERM says that the client has left (RFC 3875 leaves that to the
 * server; Apache's mod_cgi and mod_cgid do it): it arrives on a signalfd, which stays readable,
 * so it interrupts no system call. */
#ifndef AIPASS_FCGI_CGI_H
#define AIPASS_FCGI_CGI_H

#include "base/config.h"
#include "fcgi/transport.h"

#define CGI_BUFFER_BYTES 8192

struct cgi {
    struct transport transport;
    const struct config *config;
    int in_fd;
    int out_fd;
    size_t buffered;
    char buffer[CGI_BUFFER_BYTES];
};

/* cgi_init - env: environ. gone_fd: the signalfd, or -1. The descriptors stay the caller's. */
void cgi_init(struct cgi *c, const struct config *config, const char *const *env, int gone_fd);
/* cgi_finish - sends what is buffered and ends stdout (it becomes /dev/null), which ends the
 * answer. */
void cgi_finish(struct cgi *c);

#endif
