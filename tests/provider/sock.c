#include "tests/provider/sock.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

SSL_CTX *sock_tls_new(const char *cert_path, const char *key_path)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL)
        return NULL;
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_use_certificate_chain_file(tls, cert_path) == 1 &&
        SSL_CTX_use_PrivateKey_file(tls, key_path, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(tls) == 1)
        return tls;
    fprintf(stderr, "provider: cannot use %s with %s: ", cert_path, key_path);
    ERR_print_errors_fp(stderr);
    SSL_CTX_free(tls);
    return NULL;
}

bool sock_init(struct sock *s, int fd, SSL_CTX *tls)
{
    SSL *ssl = NULL;
    if (tls != NULL) {
        ssl = SSL_new(tls);
        if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
            SSL_free(ssl);
            return false;
        }
        SSL_set_accept_state(ssl);
    }
    *s = (struct sock){.fd = fd, .ssl = ssl};
    return true;
}

/* What a TLS call that did not succeed means. */
static int tls_outcome(struct sock *s, int rc)
{
    int error = SSL_get_error(s->ssl, rc);
    s->wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return SOCK_AGAIN;
    ERR_clear_error();
    return error == SSL_ERROR_ZERO_RETURN ? 0 : SOCK_BROKEN;
}

int sock_handshake(struct sock *s)
{
    s->wants_write = false;
    int rc = SSL_accept(s->ssl);
    if (rc == 1)
        return 1;
    int outcome = tls_outcome(s, rc);
    return outcome == SOCK_AGAIN ? SOCK_AGAIN : SOCK_BROKEN;
}

static ssize_t plain_outcome(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? SOCK_AGAIN : SOCK_BROKEN;
}

ssize_t sock_read(struct sock *s, char *data, size_t len)
{
    if (s->ssl == NULL)
        return plain_outcome(recv(s->fd, data, len, 0));
    int n = SSL_read(s->ssl, data, len > INT_MAX ? INT_MAX : (int)len);
    return n > 0 ? n : tls_outcome(s, n);
}

ssize_t sock_write(struct sock *s, const char *data, size_t len)
{
    if (s->ssl == NULL)
        return plain_outcome(send(s->fd, data, len, MSG_NOSIGNAL));
    int n = SSL_write(s->ssl, data, len > INT_MAX ? INT_MAX : (int)len);
    if (n > 0)
        return n;
    int outcome = tls_outcome(s, n);
    return outcome == SOCK_AGAIN ? SOCK_AGAIN : SOCK_BROKEN;
}

void sock_finish(struct sock *s)
{
    if (s->ssl != NULL && SSL_is_init_finished(s->ssl)) {
        SSL_shutdown(s->ssl);
        ERR_clear_error();
    }
    shutdown(s->fd, SHUT_WR);
}

void sock_close(struct sock *s)
{
    SSL_free(s->ssl);
    close(s->fd);
    *s = (struct sock){.fd = -1};
}

void sock_reset(struct sock *s)
{
    /* With a linger time of 0 close() discards what is unsent and sends RST (socket(7)). */
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    sock_close(s);
}
