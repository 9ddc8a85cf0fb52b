#include "tests/unit/raw_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define BACKLOG         1024

struct raw_conn {
    struct raw_server *server;
    int fd;
    SSL *ssl;
    pthread_t thread;
    char *buffer;
    size_t n, cap;
};

struct raw_server {
    raw_handler *handler;
    int fd, port;
    SSL_CTX *tls;
    pthread_t thread;
    pthread_mutex_t lock;
    bool is_stopping;                        /* under lock */
    struct raw_conn *conns[CONNECTIONS_MAX]; /* under lock; kept until the server stops */
    int conns_n;                             /* under lock */
    atomic_int resumed;
};

/* ---- a certificate for 127.0.0.1 ---- */

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert(e);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *cert = X509_new();

    assert(cert);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"test provider", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    add_extension(cert, NID_subject_alt_name, "IP:127.0.0.1");
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    if (!X509_sign(cert, key, EVP_sha256()))
        abort();
    return cert;
}

static SSL_CTX *make_tls(const char *dir)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = make_certificate(key);
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/cert.pem", dir);
    f = fopen(path, "w");
    if (!f || !PEM_write_X509(f, cert) || fclose(f))
        abort();
    if (SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
        abort();
    X509_free(cert);
    EVP_PKEY_free(key);
    return ctx;
}

/* ---- connections ---- */

static ssize_t receive(struct raw_conn *c, void *p, size_t n)
{
    return c->ssl ? SSL_read(c->ssl, p, (int)n) : recv(c->fd, p, n, 0);
}

bool raw_send(struct raw_conn *c, struct slice bytes)
{
    while (bytes.n) {
        ssize_t sent = c->ssl ? SSL_write(c->ssl, bytes.p, (int)bytes.n)
                              : send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes.p += sent;
        bytes.n -= (size_t)sent;
    }
    return true;
}

bool raw_send_z(struct raw_conn *c, const char *text)
{
    return raw_send(c, slice_of(text));
}

void raw_wait_close(struct raw_conn *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    char byte;

    while (poll(&p, 1, -1) >= 0)
        if (recv(c->fd, &byte, 1, 0) <= 0)
            return;
}

void raw_reset(struct raw_conn *c)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

/* Until the buffer holds n bytes. */
static bool fill(struct raw_conn *c, size_t n)
{
    while (c->n < n) {
        ssize_t got;

        if (c->cap < n + 1 || c->cap - c->n < 4096) {
            c->cap = n + 65536;
            assert(c->cap < RAW_REQUEST_MAX);
            c->buffer = realloc(c->buffer, c->cap);
            assert(c->buffer);
        }
        got = receive(c, c->buffer + c->n, c->cap - c->n - 1);
        if (got <= 0)
            return false;
        c->n += (size_t)got;
        c->buffer[c->n] = '\0';
    }
    return true;
}

static bool read_request(struct raw_conn *c, struct raw_request *r)
{
    size_t length = 0, head_n;
    const char *end, *field;
    struct slice rest;

    do {
        if (!fill(c, c->n + 1))
            return false;
    } while (!(end = strstr(c->buffer, "\r\n\r\n")));
    head_n = (size_t)(end - c->buffer) + 4;
    field = strcasestr(c->buffer, "\r\ncontent-length:");
    if (field && field < end)
        length = strtoul(field + strlen("\r\ncontent-length:"), NULL, 10);
    /* A body that is answered before it was read. */
    if (strncmp(c->buffer, "POST /early", strlen("POST /early")) == 0)
        length = c->n - head_n;
    if (!fill(c, head_n + length))
        return false;
    r->head = (struct slice){c->buffer, head_n};
    r->body = (struct slice){c->buffer + head_n, length};
    rest = r->head;
    (void)slice_split(&rest, ' ');
    r->path = slice_split(&rest, ' ');
    return true;
}

static void serve(struct raw_conn *c)
{
    struct raw_request r = {0};

    if (c->ssl && SSL_accept(c->ssl) != 1)
        return;
    if (c->ssl && SSL_session_reused(c->ssl))
        atomic_fetch_add(&c->server->resumed, 1);
    while (read_request(c, &r)) {
        size_t used = r.head.n + r.body.n;

        if (!c->server->handler(c, &r))
            return;
        memmove(c->buffer, c->buffer + used, c->n - used + 1);
        c->n -= used;
        /* Bytes of the next request may be there already. */
        r.nth++;
    }
}

static void *serve_connection(void *arg)
{
    struct raw_conn *c = arg;

    serve(c);
    if (c->ssl)
        (void)SSL_shutdown(c->ssl);
    (void)pthread_mutex_lock(&c->server->lock);
    (void)close(c->fd);
    c->fd = -1;
    (void)pthread_mutex_unlock(&c->server->lock);
    SSL_free(c->ssl);
    free(c->buffer);
    return NULL;
}

static void add_connection(struct raw_server *s, int fd)
{
    struct raw_conn *c = calloc(1, sizeof(*c));
    int on = 1;

    assert(c);
    c->server = s;
    c->fd = fd;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)pthread_mutex_lock(&s->lock);
    assert(s->conns_n < CONNECTIONS_MAX);
    if (s->tls) {
        c->ssl = SSL_new(s->tls);
        SSL_set_fd(c->ssl, fd);
    }
    if (s->is_stopping || pthread_create(&c->thread, NULL, serve_connection, c)) {
        (void)close(fd);
        SSL_free(c->ssl);
        free(c);
    } else {
        s->conns[s->conns_n++] = c;
    }
    (void)pthread_mutex_unlock(&s->lock);
}

static void *accept_all(void *arg)
{
    struct raw_server *s = arg;
    int fd;

    while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        add_connection(s, fd);
    return NULL;
}

/* ---- the server ---- */

struct raw_server *raw_server_start(raw_handler *handler, const char *dir)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct raw_server *s = calloc(1, sizeof(*s));
    socklen_t n = sizeof(a);

    assert(s);
    s->handler = handler;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (dir)
        s->tls = make_tls(dir);
    (void)pthread_mutex_init(&s->lock, NULL);
    if (bind(s->fd, (struct sockaddr *)&a, sizeof(a)) || listen(s->fd, BACKLOG) ||
        getsockname(s->fd, (struct sockaddr *)&a, &n) ||
        pthread_create(&s->thread, NULL, accept_all, s))
        abort();
    s->port = ntohs(a.sin_port);
    return s;
}

void raw_server_stop(struct raw_server *s)
{
    int i;

    (void)pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    for (i = 0; i < s->conns_n; i++)
        if (s->conns[i]->fd >= 0)
            (void)shutdown(s->conns[i]->fd, SHUT_RDWR);
    (void)pthread_mutex_unlock(&s->lock);
    (void)shutdown(s->fd, SHUT_RDWR);
    (void)pthread_join(s->thread, NULL);
    for (i = 0; i < s->conns_n; i++) {
        (void)pthread_join(s->conns[i]->thread, NULL);
        free(s->conns[i]);
    }
    (void)close(s->fd);
    SSL_CTX_free(s->tls);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

int raw_server_port(const struct raw_server *s)
{
    return s->port;
}

int raw_server_connections(struct raw_server *s)
{
    int n;

    (void)pthread_mutex_lock(&s->lock);
    n = s->conns_n;
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}

int raw_server_resumed(struct raw_server *s)
{
    return atomic_load(&s->resumed);
}
