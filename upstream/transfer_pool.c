#include "upstream/transfer_pool.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "upstream/address.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>

#define BUCKETS         64 /* a power of two */
#define IDLE_S          60L
#define CONNECTIONS_MAX 1L
#define KEEPALIVE_S     60L
#define KEEPALIVE_GAP_S 20L

TAILQ_HEAD(handle_list, handle);

struct transfer_pool {
    size_t idle_max;
    CURLSH *share;
    pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];

    pthread_mutex_t trust_lock;
    bool has_default_trust; /* under trust_lock */
    X509_STORE *trust;

    pthread_mutex_t lock;
    /* under lock */
    struct handle_list buckets[BUCKETS]; /* by reuse_key, the one used last first */
    struct handle_list ages;             /* the idlest last */
    size_t idle_n;
};

/* ---- TLS ---- */

/* The default store is read at the first TLS connection: a process that only speaks to plain
 * endpoints, or that serves one CGI request, does not pay for it. */
static X509_STORE *load_trust(struct transfer_pool *p)
{
    (void)pthread_mutex_lock(&p->trust_lock);
    if (!p->has_default_trust) {
        p->has_default_trust = true;
        if (!X509_STORE_set_default_paths(p->trust))
            log_error("tls_trust", "text=\"the default certificate store cannot be read\"");
        ERR_clear_error();
    }
    (void)pthread_mutex_unlock(&p->trust_lock);
    return p->trust;
}

/* curl makes an SSL_CTX for each connection and would read all certificates into each. */
static CURLcode set_up_tls(CURL *easy, void *context, void *handle)
{
    struct handle *h = handle;

    (void)easy;
    SSL_CTX_set1_cert_store(context, h->own_trust ? h->own_trust : load_trust(h->pool));
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return CURLE_OK;
}

static X509_STORE *trust_new(const char *ca_file)
{
    X509_STORE *trust = X509_STORE_new();

    if (!trust)
        return NULL;
    /* As curl sets them: an intermediate or a server's own certificate may be the anchor. */
    (void)X509_STORE_set_flags(trust, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    if (ca_file[0] && !X509_STORE_load_locations(trust, ca_file, NULL)) {
        log_error("tls_ca_file",
                  "file=%s text=\"cannot be read, or holds no certificate in PEM form\"", ca_file);
        ERR_clear_error();
        X509_STORE_free(trust);
        return NULL;
    }
    return trust;
}

/* ---- what is shared ---- */

static void lock_share(CURL *easy, curl_lock_data data, curl_lock_access access, void *pool)
{
    (void)easy;
    (void)access;
    (void)pthread_mutex_lock(&((struct transfer_pool *)pool)->share_locks[data]);
}

static void unlock_share(CURL *easy, curl_lock_data data, void *pool)
{
    (void)easy;
    (void)pthread_mutex_unlock(&((struct transfer_pool *)pool)->share_locks[data]);
}

static CURLSH *share_new(struct transfer_pool *p)
{
    CURLSH *share = curl_share_init();

    if (!share)
        return NULL;
    if (curl_share_setopt(share, CURLSHOPT_LOCKFUNC, lock_share) ||
        curl_share_setopt(share, CURLSHOPT_UNLOCKFUNC, unlock_share) ||
        curl_share_setopt(share, CURLSHOPT_USERDATA, (void *)p) ||
        curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) ||
        curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION)) {
        (void)curl_share_cleanup(share);
        return NULL;
    }
    return share;
}

/* The certificates of a PEM text, and nothing else. NULL: there is none in it. */
static X509_STORE *trust_of_pem(const char *pem)
{
    BIO *text = BIO_new_mem_buf(pem, -1);
    X509_STORE *trust = trust_new("");
    X509 *x;
    int n = 0;

    while (text && trust && (x = PEM_read_bio_X509(text, NULL, NULL, NULL))) {
        n += X509_STORE_add_cert(trust, x);
        X509_free(x);
    }
    BIO_free(text);
    ERR_clear_error();
    if (n)
        return trust;
    log_error("channel_ca_pem", "text=\"holds no certificate in PEM form\"");
    X509_STORE_free(trust);
    return NULL;
}

/* ---- the pool ---- */

static void init_curl(void)
{
    CURLcode failed = curl_global_init(CURL_GLOBAL_DEFAULT);

    assert(!failed);
    (void)failed;
}

static void init_locks(struct transfer_pool *p)
{
    size_t i;

    for (i = 0; i < CURL_LOCK_DATA_LAST; i++)
        (void)pthread_mutex_init(&p->share_locks[i], NULL);
    (void)pthread_mutex_init(&p->trust_lock, NULL);
    (void)pthread_mutex_init(&p->lock, NULL);
}

struct transfer_pool *transfer_pool_new(const struct config *config)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct transfer_pool *p = calloc(1, sizeof(*p));
    size_t i;

    if (!p)
        return NULL;
    (void)pthread_once(&once, init_curl);
    p->idle_max = (size_t)config->handles_idle_max;
    for (i = 0; i < BUCKETS; i++)
        TAILQ_INIT(&p->buckets[i]);
    TAILQ_INIT(&p->ages);
    init_locks(p);
    p->share = share_new(p);
    p->trust = trust_new(config->tls_ca_file);
    if (!p->share || !p->trust) {
        transfer_pool_free(p);
        return NULL;
    }
    return p;
}

static struct handle_list *bucket_of(struct transfer_pool *p, uint64_t reuse_key)
{
    return &p->buckets[(reuse_key * UINT64_C(0x9e3779b97f4a7c15) >> 32) % BUCKETS];
}

/* Under the lock. */
static void unlink_idle(struct transfer_pool *p, struct handle *h)
{
    TAILQ_REMOVE(bucket_of(p, h->reuse_key), h, in_bucket);
    TAILQ_REMOVE(&p->ages, h, in_ages);
    p->idle_n--;
}

/* Takes the idlest handle out when it idled since before then_ms. */
static struct handle *take_idlest(struct transfer_pool *p, int64_t then_ms)
{
    struct handle *h;

    (void)pthread_mutex_lock(&p->lock);
    h = TAILQ_LAST(&p->ages, handle_list);
    if (h && h->idle_since_ms < then_ms)
        unlink_idle(p, h);
    else
        h = NULL;
    (void)pthread_mutex_unlock(&p->lock);
    return h;
}

void transfer_pool_upkeep(struct transfer_pool *p)
{
    int64_t then_ms = clock_mono_ms() - IDLE_S * 1000;
    struct handle *h;

    while ((h = take_idlest(p, then_ms)))
        handle_free(h);
}

void transfer_pool_free(struct transfer_pool *p)
{
    struct handle *h;
    size_t i;

    if (!p)
        return;
    while ((h = take_idlest(p, INT64_MAX)))
        handle_free(h);
    if (p->share) {
        CURLSHcode in_use = curl_share_cleanup(p->share);

        assert(!in_use); /* an exchange is running */
        (void)in_use;
    }
    X509_STORE_free(p->trust);
    for (i = 0; i < CURL_LOCK_DATA_LAST; i++)
        (void)pthread_mutex_destroy(&p->share_locks[i]);
    (void)pthread_mutex_destroy(&p->trust_lock);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- handles ---- */

/* The text form came with libcurl 7.85; Debian 11 has 7.74. */
static CURLcode set_protocols(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static bool set_connection_options(CURL *c, struct transfer_pool *p)
{
    return !curl_easy_setopt(c, CURLOPT_SHARE, p->share) &&
           !curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) &&
#if LIBCURL_VERSION_NUM >= 0x075700
           !curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) && /* no wait for a resolver that hangs */
#endif
           !set_protocols(c) && !curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) &&
           !curl_easy_setopt(c, CURLOPT_PROXY, "") &&
           !curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L) &&
           !curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L) &&
           !curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S) &&
           !curl_easy_setopt(c, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_GAP_S) &&
           !curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, IDLE_S);
}

static bool set_http_options(CURL *c)
{
    return !curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           !curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) &&
           !curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "identity");
}

static bool set_tls_options(CURL *c, struct handle *h)
{
    return !curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) &&
           !curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) &&
           !curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           !curl_easy_setopt(c, CURLOPT_CAINFO, NULL) &&
           !curl_easy_setopt(c, CURLOPT_CAPATH, NULL) &&
#if LIBCURL_VERSION_NUM >= 0x075700
           !curl_easy_setopt(c, CURLOPT_CA_CACHE_TIMEOUT, 0L) &&
#endif
           !curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, set_up_tls) &&
           !curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, (void *)h);
}

/* The address that a name has turned out to have, or that of the proxy: whatever is connected to. */
static curl_socket_t open_socket(void *handle, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct handle *h = handle;

    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (!h->allow_private && !address_is_public(&a->addr, a->addrlen)) {
        h->is_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static bool set_options(struct handle *h)
{
    return set_connection_options(h->easy, h->pool) && set_http_options(h->easy) &&
           set_tls_options(h->easy, h) &&
           !curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) &&
           !curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETDATA, (void *)h) &&
           !curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->error) &&
           !curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
}

/* Sessions are not shared: one that others have verified would be taken for verified here. */
static bool set_reach(struct handle *h, const struct transfer_reach *reach)
{
    h->allow_private = reach->allow_private;
    if (reach->proxy_url && curl_easy_setopt(h->easy, CURLOPT_PROXY, reach->proxy_url))
        return false;
    if (!reach->ca_pem)
        return true;
    h->own_trust = trust_of_pem(reach->ca_pem);
    return h->own_trust && !curl_easy_setopt(h->easy, CURLOPT_SHARE, NULL);
}

static struct handle *handle_new(struct transfer_pool *p, const struct transfer_reach *reach)
{
    struct handle *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->is_new = true;
    h->pool = p;
    h->easy = curl_easy_init();
    h->multi = curl_multi_init();
    if (!h->easy || !h->multi || !set_options(h) || !set_reach(h, reach)) {
        handle_free(h);
        return NULL;
    }
    return h;
}

/* OpenSSL's buffers take 16 kB each way. SSL_MODE_RELEASE_BUFFERS alone was seen to leave the one
 * for reading behind on new connections. */
static void shrink_tls(struct handle *h)
{
    struct curl_tlssessioninfo *info = NULL;
    SSL *ssl;

    if (curl_easy_getinfo(h->easy, CURLINFO_TLS_SSL_PTR, &info) || !info ||
        info->backend != CURLSSLBACKEND_OPENSSL || !info->internals)
        return;
    ssl = info->internals;
    if (SSL_is_init_finished(ssl) && !SSL_has_pending(ssl))
        (void)SSL_free_buffers(ssl);
}

void handle_shrink(struct handle *h, bool is_sent)
{
    shrink_tls(h);
    /* Setting its size makes curl drop the buffer, and make it again should it need to. */
    if (is_sent)
        (void)curl_easy_setopt(h->easy, CURLOPT_UPLOAD_BUFFERSIZE, h->upload_buffer_bytes);
}

void handle_free(struct handle *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    (void)curl_multi_cleanup(h->multi);
    X509_STORE_free(h->own_trust);
    free(h);
}

static uint64_t hash_reach(const struct transfer_reach *reach)
{
    uint64_t hash = reach->allow_private;

    if (reach->proxy_url)
        hash = hash_64(slice_of(reach->proxy_url), hash + 2);
    if (reach->ca_pem)
        hash = hash_64(slice_of(reach->ca_pem), hash + 4);
    return hash;
}

struct handle *handle_take(struct transfer_pool *p, uint64_t reuse_key,
                           const struct transfer_reach *reach)
{
    uint64_t hash = hash_reach(reach);
    struct handle *h;

    (void)pthread_mutex_lock(&p->lock);
    TAILQ_FOREACH(h, bucket_of(p, reuse_key), in_bucket)
    if (h->reuse_key == reuse_key && h->reach == hash)
        break;
    /* Another key's handle has another provider's connection, which would be lost. */
    if (!h && p->idle_n >= p->idle_max)
        h = TAILQ_LAST(&p->ages, handle_list);
    if (h)
        unlink_idle(p, h);
    (void)pthread_mutex_unlock(&p->lock);
    if (h && h->reach != hash) {
        handle_free(h);
        h = NULL;
    }
    if (!h)
        h = handle_new(p, reach);
    if (h) {
        h->reuse_key = reuse_key;
        h->reach = hash;
        h->is_refused = false;
    }
    return h;
}

void handle_give(struct transfer_pool *p, struct handle *h)
{
    struct handle *surplus = NULL;

    h->idle_since_ms = clock_mono_ms();
    (void)pthread_mutex_lock(&p->lock);
    TAILQ_INSERT_HEAD(bucket_of(p, h->reuse_key), h, in_bucket);
    TAILQ_INSERT_HEAD(&p->ages, h, in_ages);
    p->idle_n++;
    if (p->idle_n > p->idle_max) {
        surplus = TAILQ_LAST(&p->ages, handle_list);
        unlink_idle(p, surplus);
    }
    (void)pthread_mutex_unlock(&p->lock);
    handle_free(surplus);
}
