#include "upstream/fetch.h"

#include "base/buf.h"
#include "base/clock.h"

#include <assert.h>
#include <ctype.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIME_MAX      127
#define REASON_MAX    160
#define BASE64_GROUPS 3 /* bytes that four characters stand for */
#define URL_MAX       8192

/* What was fetched. */
struct fetched {
    struct slice url;
    struct slice mime; /* p NULL: the server did not say */
    struct buf base64;
    struct fetched *next;
};

struct fetcher {
    struct arena *arena;
    struct fetch_rules rules;
    struct fetched *all;
    int64_t count, bytes; /* so far */
    int64_t until_ms;     /* 0: nothing was fetched yet */
};

/* One running fetch. */
struct transfer {
    struct fetcher *fetcher;
    struct buf body;
    bool is_refused; /* the address */
    bool is_large;
    bool is_out_of_memory;
    char error[CURL_ERROR_SIZE];
};

static void clear(void *fetcher)
{
    struct fetcher *f = fetcher;
    struct fetched *one;

    for (one = f->all; one; one = one->next)
        buf_clear(&one->base64);
}

struct fetcher *fetcher_new(struct arena *a, const struct fetch_rules *rules)
{
    struct fetcher *f = arena_alloc(a, sizeof(*f));

    if (!f)
        return NULL;
    *f = (struct fetcher){.arena = a, .rules = *rules};
    if (!f->rules.may_connect)
        f->rules.may_connect = fetch_may_connect;
    return arena_defer(a, clear, f) ? NULL : f;
}

/* ---- the callbacks of curl ---- */

/* Once for each address of the name, after it was resolved: what is connected to is what was judged. */
static curl_socket_t open_socket(void *transfer, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    struct transfer *t = transfer;

    (void)purpose;
    if (!t->fetcher->rules.may_connect(&address->addr, address->addrlen)) {
        t->is_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *p, size_t size, size_t n, void *transfer)
{
    struct transfer *t = transfer;
    enum err e = buf_append(&t->body, p, size * n);

    t->is_large |= e == ERR_FULL;
    t->is_out_of_memory |= e == ERR_MEMORY;
    return e ? 0 : n;
}

/* ---- one fetch ---- */

/* https, nobody's credentials; in the arena as curl understood it. p NULL: it may not be fetched. */
static struct slice check_url(struct arena *a, struct slice url, enum err *e)
{
    CURLU *u = curl_url();
    const char *text = arena_copy(a, url);
    char *scheme = NULL, *host = NULL;
    bool is_good = false;

    *e = u && text ? ERR_OK : ERR_MEMORY;
    if (!*e && url.n <= URL_MAX && strlen(text) == url.n)
        is_good = !curl_url_set(u, CURLUPART_URL, text, CURLU_DISALLOW_USER) &&
                  !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) && !strcmp(scheme, "https") &&
                  !curl_url_get(u, CURLUPART_HOST, &host, 0);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(u);
    return is_good ? slice_of(text) : (struct slice){NULL, 0};
}

static bool set_up(CURL *c, struct transfer *t, const char *url, int64_t ms)
{
    const char *ca_file = t->fetcher->rules.ca_file;

    if (ca_file && curl_easy_setopt(c, CURLOPT_CAINFO, ca_file))
        return false;
    return !curl_easy_setopt(c, CURLOPT_URL, url) &&
#if LIBCURL_VERSION_NUM >= 0x075500
           !curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") &&
#else
           !curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS) &&
#endif
           !curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) &&
           !curl_easy_setopt(c, CURLOPT_PROXY, "") && !curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) &&
#if LIBCURL_VERSION_NUM >= 0x075700
           !curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) && /* no wait for a resolver that hangs */
#endif
           !curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) &&
           !curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) &&
           !curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           !curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           !curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) &&
           !curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "identity") &&
           !curl_easy_setopt(c, CURLOPT_USERAGENT, "aipass/" AIPASS_VERSION) &&
           !curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)ms) &&
           !curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->body.max) &&
           !curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error) &&
           !curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket) &&
           !curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, (void *)t) &&
           !curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body) &&
           !curl_easy_setopt(c, CURLOPT_WRITEDATA, (void *)t);
}

/* Content-Type without its parameters, lower case; p NULL when it says nothing. */
static struct slice read_mime(CURL *c, struct arena *a)
{
    const char *type = NULL;
    struct slice rest, mime;
    char *copy;
    size_t i;

    if (curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type) || !type)
        return (struct slice){NULL, 0};
    rest = slice_of(type);
    mime = slice_trim(slice_split(&rest, ';'));
    if (mime.n > MIME_MAX || !memchr(mime.p, '/', mime.n) ||
        slice_eq_ci(mime, "application/octet-stream") || slice_eq_ci(mime, "binary/octet-stream"))
        return (struct slice){NULL, 0};
    for (i = 0; i < mime.n; i++)
        if (!isalnum((unsigned char)mime.p[i]) && !strchr("/.+-", mime.p[i]))
            return (struct slice){NULL, 0};
    copy = arena_copy(a, mime);
    for (i = 0; copy && i < mime.n; i++)
        copy[i] = (char)tolower((unsigned char)copy[i]);
    return (struct slice){copy, copy ? mime.n : 0};
}

static enum err encode(struct slice bytes, struct buf *out)
{
    size_t n = (bytes.n + BASE64_GROUPS - 1) / BASE64_GROUPS * 4;
    char *dst;
    enum err e;

    buf_init(out, n + 1);
    e = buf_reserve(out, n + 1, &dst);
    if (e)
        return e;
    EVP_EncodeBlock((unsigned char *)dst, (const unsigned char *)bytes.p, (int)bytes.n);
    buf_commit(out, n);
    return ERR_OK;
}

/* Why there are no bytes, for the client; "": there are. Nothing of what the server sent is told. */
static void explain(const struct transfer *t, CURLcode code, long status, char reason[REASON_MAX])
{
    reason[0] = '\0';
    if (t->is_refused)
        (void)snprintf(reason, REASON_MAX, "its address is not a public one at port 443");
    else if (t->is_large || code == CURLE_FILESIZE_EXCEEDED)
        (void)snprintf(reason, REASON_MAX,
                       "what URLs of one request lead to may have %" PRId64 " bytes together",
                       t->fetcher->rules.bytes_max);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        (void)snprintf(reason, REASON_MAX, "fetching took too long");
    else if (code)
        (void)snprintf(reason, REASON_MAX, "the server cannot be reached");
    else if (status != 200)
        (void)snprintf(reason, REASON_MAX, "the server answered with status %ld, not 200", status);
    else if (t->body.n == 0)
        (void)snprintf(reason, REASON_MAX, "the server sent nothing");
}

static enum err keep(struct fetcher *f, struct fetched *one, CURL *c, const struct transfer *t)
{
    enum err e = encode(buf_slice(&t->body), &one->base64);

    if (e) {
        buf_clear(&one->base64);
        return ERR_MEMORY;
    }
    one->mime = read_mime(c, f->arena);
    f->bytes += (int64_t)t->body.n;
    one->next = f->all;
    f->all = one;
    return ERR_OK;
}

/* *reason: "" or why not, with ERR_OK. */
static enum err perform(struct fetcher *f, struct fetched *one, int64_t ms, char reason[REASON_MAX])
{
    struct transfer t = {.fetcher = f};
    CURL *c = curl_easy_init();
    long status = 0;
    CURLcode code;
    enum err e = ERR_MEMORY;

    buf_init(&t.body, (size_t)(f->rules.bytes_max - f->bytes));
    if (c && set_up(c, &t, one->url.p, ms)) {
        code = curl_easy_perform(c);
        (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
        explain(&t, code, status, reason);
        e = t.is_out_of_memory || code == CURLE_OUT_OF_MEMORY ? ERR_MEMORY : ERR_OK;
        if (!e && !reason[0])
            e = keep(f, one, c, &t);
    }
    curl_easy_cleanup(c);
    buf_clear(&t.body);
    return e;
}

static struct fetched *find(const struct fetcher *f, struct slice url)
{
    struct fetched *one;

    for (one = f->all; one; one = one->next)
        if (slice_eq(one->url, url))
            break;
    return one;
}

/* ---- the parts of a request ---- */

static enum err fetch(struct fetcher *f, struct plan *p, const struct part *part,
                      struct fetched **out)
{
    struct fetched *one = arena_alloc(f->arena, sizeof(*one));
    char reason[REASON_MAX] = "";
    int64_t now_ms = clock_mono_ms();
    enum err e = ERR_MEMORY;

    if (!one)
        return ERR_MEMORY;
    *one = (struct fetched){.url = check_url(f->arena, part->media.data, &e)};
    if (e)
        return e;
    if (!one->url.p)
        return plan_fault(p, part->at, "only https URLs without credentials can be fetched");
    if (f->count++ >= f->rules.count_max)
        return plan_fault(p, part->at, "more than %" PRId64 " URLs are not fetched for one request",
                          f->rules.count_max);
    if (f->until_ms == 0)
        f->until_ms = now_ms + f->rules.ms;
    if (now_ms >= f->until_ms || f->bytes >= f->rules.bytes_max)
        return plan_fault(p, part->at,
                          "the URL cannot be fetched: the ones before took all that "
                          "one request may have");
    e = perform(f, one, f->until_ms - now_ms, reason);
    if (!e && reason[0])
        return plan_fault(p, part->at, "the URL cannot be fetched: %s", reason);
    *out = one;
    return e;
}

static bool suits(const struct part *part, struct slice mime)
{
    if (mime.n == 0 || part->kind == PART_FILE)
        return true;
    return slice_starts(mime, part->kind == PART_IMAGE ? "image/" : "audio/");
}

static enum err fetch_part(struct fetcher *f, struct plan *p, struct part *part)
{
    struct fetched *one = find(f, part->media.data);
    enum err e = one ? ERR_OK : fetch(f, p, part, &one);

    if (e)
        return e;
    assert(one);
    if (!suits(part, one->mime))
        return plan_fault(p, part->at, "the URL leads to something of the type %.*s",
                          SLICE_FMT(one->mime));
    part->media.source = MEDIA_BYTES;
    part->media.data = buf_slice(&one->base64);
    if (one->mime.n)
        part->media.mime = one->mime;
    return ERR_OK;
}

static bool is_wanted(const struct part *part, bool (*needs_bytes)(const struct part *))
{
    return (part->kind == PART_IMAGE || part->kind == PART_AUDIO || part->kind == PART_FILE) &&
           part->media.source == MEDIA_URL && needs_bytes(part);
}

static enum err fetch_list(struct fetcher *f, struct plan *p, struct part *parts, size_t n,
                           bool (*needs_bytes)(const struct part *))
{
    enum err e = ERR_OK;
    size_t i;

    for (i = 0; i < n && !e; i++) {
        if (parts[i].kind == PART_RESULT) /* holds no results itself: one level */
            e = fetch_list(f, p, parts[i].parts, parts[i].parts_n, needs_bytes);
        else if (is_wanted(&parts[i], needs_bytes))
            e = fetch_part(f, p, &parts[i]);
    }
    return e;
}

enum err fetch_parts(struct fetcher *f, struct canon *c, struct plan *p,
                     bool (*needs_bytes)(const struct part *part))
{
    enum err e = ERR_OK;
    size_t i;

    for (i = 0; i < c->turns_n && !e; i++)
        e = fetch_list(f, p, c->turns[i].parts, c->turns[i].parts_n, needs_bytes);
    return e;
}
