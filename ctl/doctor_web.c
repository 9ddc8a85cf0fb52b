#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "ctl/ctl_sql.h"
#include "ctl/doctor.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX        256
#define URL_MAX_BYTES  512
#define ANSWER_MAX     ((size_t)4 << 20)
#define BIG_BODY       ((size_t)1 << 20)
#define ANSWER_S       30L
#define STREAM_EVENTS  5
#define STREAM_PACE_MS 200
#define FIRST_WARN_MS  1000
#define SILENCE_USUAL  45
#define SILENCE_MAX    120

struct web {
    struct doctor *d;
    char base[URL_MAX_BYTES]; /* without a slash at its end, without /v1 */
    char key[KEY_MAX];
};

struct answer {
    int status; /* 0: none */
    bool is_whole;
    int64_t started_ms, first_ms, last_ms; /* of body bytes; first_ms -1: none */
    int reads;
    char type[96];
    char encoding[32];
    char fault[CURL_ERROR_SIZE];
    long http; /* CURL_HTTP_VERSION_* */
    struct buf body;
};

enum how { WITH_BEARER, WITH_X_API_KEY, WITHOUT_KEY };

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    struct answer *a = arg;
    a->last_ms = clock_mono_ms() - a->started_ms;
    if (a->first_ms < 0)
        a->first_ms = a->last_ms;
    a->reads++;
    return buf_append(&a->body, p, size * n) ? 0 : n;
}

static size_t take_header(char *p, size_t size, size_t n, void *arg)
{
    struct answer *a = arg;
    struct slice line = {p, size * n}, name = slice_split(&line, ':');
    if (slice_eq_ci(name, "content-type"))
        (void)slice_copy_z(a->type, sizeof(a->type), slice_trim(line));
    if (slice_eq_ci(name, "content-encoding"))
        (void)slice_copy_z(a->encoding, sizeof(a->encoding), slice_trim(line));
    return n;
}

static struct curl_slist *headers_of(const struct web *w, enum how how)
{
    char header[KEY_MAX + 32];
    if (how == WITHOUT_KEY)
        return NULL;
    (void)snprintf(header, sizeof(header), "%s%s",
                   how == WITH_BEARER ? "Authorization: Bearer " : "x-api-key: ", w->key);
    struct curl_slist *list = curl_slist_append(NULL, header);
    hash_wipe(header, sizeof(header));
    return list;
}

/* A call of base + path. body: NULL for GET. The answer's body is the caller's to clear. */
static void ask(const struct web *w, const char *path, enum how how, const struct slice *body,
                long timeout_s, struct answer *a)
{
    char url[2 * URL_MAX_BYTES];
    *a = (struct answer){.first_ms = -1};
    buf_init(&a->body, ANSWER_MAX);
    CURL *curl = curl_easy_init();
    if (!curl)
        return;
    (void)snprintf(url, sizeof(url), "%s%s", w->base, path);
    struct curl_slist *headers = headers_of(w, how);
    long status = 0;
    curl_easy_setopt(curl, CURLOPT_URL, url);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, timeout_s);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, a->fault);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING,
                     "gzip"); /* would a stream be packed, and so held back? */
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->n);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->p);
    }
    if (w->d->config && w->d->config->tls_ca_file[0])
        curl_easy_setopt(curl, CURLOPT_CAINFO, w->d->config->tls_ca_file);
    a->started_ms = clock_mono_ms();
    a->is_whole = curl_easy_perform(curl) == CURLE_OK;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &a->http);
    a->status = (int)status;
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
}

/* ---- the checks ---- */

static bool check_reached(struct web *w)
{
    struct answer a;
    ask(w, "/healthz", WITHOUT_KEY, NULL, ANSWER_S, &a);
    buf_clear(&a.body);
    if (!a.status)
        doctor_tell(
            w->d, "web", DOCTOR_ERROR,
            "is the web server running, its name in the DNS, its port open, its certificate valid?",
            "%s: %s", w->base, a.fault[0] ? a.fault : "no answer");
    else if (a.status != 200)
        doctor_tell(w->d, "web", DOCTOR_ERROR,
                    "include the shipped snippet of your web server (etc/): it sends /v1 and "
                    "/healthz to the gateway",
                    "%s/healthz: %d", w->base, a.status);
    else
        doctor_tell(w->d, "web", DOCTOR_OK, NULL, "%s, HTTP/%s", w->base,
                    a.http == CURL_HTTP_VERSION_2_0 ? "2" : "1.1");
    if (a.status == 200 && strncmp(w->base, "https://", 8) != 0)
        doctor_tell(w->d, "tls", DOCTOR_WARNING,
                    "serve customers by https only: keys travel in each request", "%s is not https",
                    w->base);
    return a.status == 200;
}

/* By x-api-key everything arrives: when that works and Authorization does not, it was stripped. */
static bool check_authorization(struct web *w)
{
    struct answer bearer, named;
    ask(w, "/v1/selftest?events=1", WITH_BEARER, NULL, ANSWER_S, &bearer);
    ask(w, "/v1/selftest?events=1", WITH_X_API_KEY, NULL, ANSWER_S, &named);
    buf_clear(&bearer.body);
    buf_clear(&named.body);
    if (bearer.status == 200 && named.status == 200)
        doctor_tell(w->d, "authorization", DOCTOR_OK, NULL,
                    "Authorization and x-api-key both arrive");
    else if (named.status == 200)
        doctor_tell(w->d, "authorization", DOCTOR_ERROR,
                    "Apache: CGIPassAuth On; nginx and lighttpd: do not clear Authorization",
                    "the web server strips Authorization (%d)", bearer.status);
    else if (bearer.status == 200)
        doctor_tell(w->d, "authorization", DOCTOR_ERROR, "do not clear x-api-key in the web server",
                    "the web server strips x-api-key (%d)", named.status);
    else
        doctor_tell(w->d, "authorization", DOCTOR_ERROR,
                    "give a key that works: --key-file, or $AIPASS_KEY", "the key is refused: %d",
                    bearer.status);
    return named.status == 200;
}

static void check_stream(struct web *w)
{
    struct answer a;
    char path[128];
    (void)snprintf(path, sizeof(path), "/v1/selftest?events=%d&pace_ms=%d", STREAM_EVENTS,
                   STREAM_PACE_MS);
    ask(w, path, WITH_X_API_KEY, NULL, ANSWER_S, &a);
    long long first = (long long)a.first_ms, spread = (long long)(a.last_ms - a.first_ms);
    bool is_lump = spread < (STREAM_EVENTS - 1) * STREAM_PACE_MS / 2;
    if (a.status != 200 || !a.is_whole)
        doctor_tell(w->d, "stream", DOCTOR_ERROR, "look into the web server's error log",
                    "a test stream broke: %d %s", a.status, a.fault);
    else if (a.encoding[0])
        doctor_tell(w->d, "stream", DOCTOR_ERROR, "compress no text/event-stream",
                    "the stream comes packed (%s)", a.encoding);
    else if (is_lump)
        doctor_tell(w->d, "stream", DOCTOR_ERROR,
                    "lighttpd: server.stream-response-body = 2; mod_fcgid: FcgidOutputBufferSize "
                    "0; mod_proxy_fcgi: flushpackets=on; nginx: fastcgi_buffering off",
                    "events come in one lump, after %lld ms", first);
    else
        doctor_tell(w->d, "stream", first > FIRST_WARN_MS ? DOCTOR_WARNING : DOCTOR_OK,
                    first > FIRST_WARN_MS
                        ? "is the gateway started anew for each request (CGI), or far away?"
                        : NULL,
                    "first event after %lld ms, then one by one (%d reads)", first, a.reads);
    buf_clear(&a.body);
}

static void check_body(struct web *w)
{
    struct answer a;
    struct json_object *o = NULL;
    int64_t n = -1;
    char *bytes = malloc(BIG_BODY);
    if (!bytes)
        return;
    memset(bytes, 'x', BIG_BODY);
    struct slice body = {bytes, BIG_BODY};
    ask(w, "/v1/selftest", WITH_X_API_KEY, &body, ANSWER_S, &a);
    if (a.status == 200 && !json_parse(buf_slice(&a.body), &o))
        (void)!json_get_i64(o, "body_bytes", &n);
    json_object_put(o);
    if (n == (int64_t)BIG_BODY)
        doctor_tell(w->d, "body", DOCTOR_OK, NULL, "1 MB of request arrives");
    else
        doctor_tell(w->d, "body", DOCTOR_ERROR,
                    "lighttpd: server.max-request-size; Apache: LimitRequestBody, "
                    "FcgidMaxRequestLen; nginx: client_max_body_size; all at least 34 MB",
                    "1 MB of request does not arrive: %d", a.status);
    buf_clear(&a.body);
    free(bytes);
}

static void check_silence(struct web *w)
{
    struct answer a;
    char path[128];
    const char *text = ctl_value(w->d->args, "silence");
    int64_t s = SILENCE_USUAL;
    if (text && (slice_to_i64(slice_of(text), &s) || s < 0 || s > SILENCE_MAX))
        s = SILENCE_USUAL;
    (void)snprintf(path, sizeof(path), "/v1/selftest?events=1&silence_ms=%lld",
                   (long long)s * 1000);
    ctl_say("waiting %lld s for a silent stream...", (long long)s);
    ask(w, path, WITH_X_API_KEY, NULL, (long)s + ANSWER_S, &a);
    bool is_done = a.is_whole && a.body.n && strstr(a.body.p, "[DONE]");
    if (is_done)
        doctor_tell(w->d, "silence", DOCTOR_OK, NULL,
                    "a stream lives through %lld s without an event", (long long)s);
    else
        doctor_tell(w->d, "silence", DOCTOR_ERROR,
                    "lighttpd: server.max-write-idle, read-timeout; mod_fcgid: FcgidIOTimeout; "
                    "mod_proxy_fcgi: timeout=; nginx: fastcgi_read_timeout; all at least 660 s. Or "
                    "lower ping_ms",
                    "a stream that is silent for %lld s is cut after %lld ms", (long long)s,
                    (long long)a.last_ms);
    buf_clear(&a.body);
}

/* The start page is in the sources, /docs/ is what make docs makes. */
static void check_pages(struct web *w)
{
    static const char *const paths[] = {"/", "/docs/"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct answer a;
        ask(w, paths[i], WITHOUT_KEY, NULL, ANSWER_S, &a);
        bool is_page = a.status == 200 && strstr(a.type, "text/html");
        doctor_tell(w->d, "docs", is_page ? DOCTOR_OK : DOCTOR_WARNING,
                    is_page
                        ? NULL
                        : "let the web server's document root be htdocs, as a release brings it "
                          "or make docs makes it",
                    "%s answers %d %s", paths[i], a.status, a.type);
        buf_clear(&a.body);
    }
}

/* A path, and what its file holds that no page of ours does. */
static void check_secrets(struct web *w)
{
    static const struct {
        const char *path;
        const char *mark;
    } files[] = {
        {"/aipass.conf",                            "db_option_file"},
        {"/etc/aipass.conf",                        "db_option_file"},
        {"/aipass.cnf",                             "password"      },
        {"/etc/aipass.cnf",                         "password"      },
        {"/owner.cnf",                              "password"      },
        {"/.my.cnf",                                "password"      },
        {"/secret.key",                             NULL            },
        {"/etc/secret.key",                         NULL            },
        {"/.htaccess",                              "Rewrite"       },
        {"/.git/config",                            "[core]"        },
        {"/aipass.fcgi",                            "\177ELF"       },
        {"/cgi-bin/aipass.fcgi",                    "\177ELF"       },
        {"/sql/0001_create_accounts.sql",           "CREATE TABLE"  },
        {"/db/migrations/0001_create_accounts.sql", "CREATE TABLE"  },
    };
    int found = 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct answer a;
        ask(w, files[i].path, WITHOUT_KEY, NULL, ANSWER_S, &a);
        bool is_html = strstr(a.type, "text/html") != NULL;
        bool is_it = a.status == 200 && a.body.n &&
                     (files[i].mark ? strstr(a.body.p, files[i].mark) != NULL : !is_html);
        buf_clear(&a.body);
        if (!is_it)
            continue;
        found++;
        doctor_tell(w->d, "secrets", DOCTOR_ERROR,
                    "move it out of the document root, then change what it held (passwords, keys)",
                    "anybody can download %s%s", w->base, files[i].path);
    }
    if (!found)
        doctor_tell(w->d, "secrets", DOCTOR_OK, NULL,
                    "no configuration, key, program or SQL file can be downloaded");
}

/* ---- all of them ---- */

static bool read_key(struct web *w)
{
    const char *path = ctl_value(w->d->args, "key-file"), *env = getenv("AIPASS_KEY");
    FILE *f = path ? fopen(path, "re") : NULL;
    if (path && (!f || !fgets(w->key, sizeof(w->key), f)))
        doctor_tell(w->d, "authorization", DOCTOR_ERROR,
                    "put an API key on the first line of that file", "%s cannot be read", path);
    if (f)
        fclose(f);
    if (!path && env)
        (void)slice_copy_z(w->key, sizeof(w->key), slice_of(env));
    w->key[strcspn(w->key, "\r\n")] = '\0';
    if (!w->key[0] && !path)
        doctor_tell(
            w->d, "authorization", DOCTOR_WARNING,
            "give an API key by --key-file or $AIPASS_KEY: aipassctl key create ACCOUNT > FILE",
            "streams, bodies and headers were not checked: there is no key to ask with");
    return w->key[0] != '\0';
}

void doctor_check_web(struct doctor *d, const char *url)
{
    struct web w = {.d = d};
    struct slice base = slice_of(url);
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    if (base.n > 3 && !memcmp(base.p + base.n - 3, "/v1", 3))
        base.n -= 3;
    (void)slice_copy_z(w.base, sizeof(w.base), base);
    if (!check_reached(&w))
        return;
    if (read_key(&w) && check_authorization(&w)) {
        check_stream(&w);
        check_body(&w);
        check_silence(&w);
    }
    check_pages(&w);
    check_secrets(&w);
    hash_wipe(w.key, sizeof(w.key));
}
