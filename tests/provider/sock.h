/* sock - a connected socket, plain or TLS, never blocking.
 *
 * Belongs to its connection. One thread.
 */
#ifndef TESTS_PROVIDER_SOCK_H
#define TESTS_PROVIDER_SOCK_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { SOCK_AGAIN = -1, SOCK_BROKEN = -2 };

struct sock {
    int fd;
    SSL *ssl;         /* NULL: plain */
    bool wants_write; /* after SOCK_AGAIN of a TLS call: it waits until it can write */
};

/* sock_tls_new - the TLS settings of a server. Returns NULL, after a line on stderr, when the
 * certificate or the key cannot be used. */
SSL_CTX *sock_tls_new(const char *cert_path, const char *key_path);

/* sock_init - take over a descriptor that does not block. tls: NULL for plain. False when no TLS
 * object could be made; the descriptor stays the caller's then. */
bool sock_init(struct sock *s, int fd, SSL_CTX *tls);

/* sock_handshake - go on with the TLS handshake: 1 when done, SOCK_AGAIN or SOCK_BROKEN. */
int sock_handshake(struct sock *s);

/* sock_read - up to len bytes: their number, 0 at the end, SOCK_AGAIN or SOCK_BROKEN. */
ssize_t sock_read(struct sock *s, char *data, size_t len);

/* sock_write - as many of the len bytes as go at once: their number, SOCK_AGAIN or SOCK_BROKEN. */
ssize_t sock_write(struct sock *s, const char *data, size_t len);

/* sock_finish - tell the other side that nothing more comes; reading stays possible. */
void sock_finish(struct sock *s);

/* sock_close - close in order. */
void sock_close(struct sock *s);

/* sock_reset - close with a TCP reset. */
void sock_reset(struct sock *s);

#endif
