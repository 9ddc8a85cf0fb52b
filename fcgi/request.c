#include "fcgi/request.h"

#include "fcgi/body.h"
#include "fcgi/router.h"
#include "fcgi/server.h"

#include <stdio.h>
#include <string.h>

#define VARIABLE_MAX 128 /* the name of a header as a variable: HTTP_X_STAINLESS_RUNTIME_VERSION */

static const struct {
    const char *name;
    enum method method;
} methods[] = {
    {"GET",     METHOD_GET    },
    {"POST",    METHOD_POST   },
    {"HEAD",    METHOD_HEAD   },
    {"OPTIONS", METHOD_OPTIONS},
    {"DELETE",  METHOD_DELETE },
    {"PUT",     METHOD_PUT    },
};

static struct slice find_variable(const struct request *req, const char *name);
static enum method parse_method(struct slice word);
static int64_t parse_length(struct slice value);

void request_read_head(struct request *req)
{
    struct slice uri = find_variable(req, "REQUEST_URI");

    req->method = parse_method(find_variable(req, "REQUEST_METHOD"));
    req->content_length = parse_length(find_variable(req, "CONTENT_LENGTH"));
    router_normalize(req, uri, slice_of(req->config->path_prefix));
}

enum err request_read_body(struct request *req)
{
    int64_t length = req->content_length;

    if (length < 0 && slice_trim(find_variable(req, "CONTENT_LENGTH")).n > 0)
        return ERR_BAD_REQUEST;
    /* Plain CGI without a length and without chunks: there is no body, and stdin may be
     * anything. */
    if (length < 0 && req->is_cgi && find_variable(req, "HTTP_TRANSFER_ENCODING").n == 0)
        return ERR_OK;
    return body_read(req->body_store, req->transport, length, req->config, &req->body);
}

bool request_has_encoded_body(const struct request *req)
{
    struct slice encoding = slice_trim(request_header(req, "content-encoding"));

    return encoding.n > 0 && !slice_eq_ci(encoding, "identity");
}

void request_drop_body(struct request *req)
{
    req->body = (struct slice){NULL, 0};
    if (req->body_store != NULL)
        body_drop(req->body_store);
}

struct slice request_header(const struct request *req, const char *name)
{
    char variable[VARIABLE_MAX] = "HTTP_";
    size_t n = strlen(variable);
    struct slice value;

    for (const char *p = name; *p != '\0'; p++) {
        if (n + 1 >= sizeof(variable))
            return (struct slice){NULL, 0};
        if (*p == '-')
            variable[n++] = '_';
        else
            variable[n++] = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    }
    variable[n] = '\0';
    if (strcmp(variable, "HTTP_CONTENT_TYPE") == 0 || strcmp(variable, "HTTP_CONTENT_LENGTH") == 0)
        return find_variable(req, variable + strlen("HTTP_"));
    value = find_variable(req, variable);
    /* Apache's RewriteRule E= renames a variable once for each internal redirect. */
    if (value.p == NULL && strcmp(variable, "HTTP_AUTHORIZATION") == 0)
        value = find_variable(req, "REDIRECT_HTTP_AUTHORIZATION");
    if (value.p == NULL && strcmp(variable, "HTTP_AUTHORIZATION") == 0)
        value = find_variable(req, "REDIRECT_REDIRECT_HTTP_AUTHORIZATION");
    return value;
}

/* Decodes into the arena what holds an escape or a plus. p NULL: malformed, or the arena is
 * full. */
static struct slice decode_form(struct arena *arena, struct slice raw)
{
    char *copy;
    size_t n;

    if (memchr(raw.p, '%', raw.n) == NULL && memchr(raw.p, '+', raw.n) == NULL)
        return str_is_utf8(raw) ? raw : (struct slice){NULL, 0};
    copy = arena_alloc(arena, raw.n + 1);
    if (copy == NULL)
        return (struct slice){NULL, 0};
    n = str_percent_decode(copy, raw.n, raw, true);
    if (n == SIZE_MAX || !str_is_utf8((struct slice){copy, n}))
        return (struct slice){NULL, 0};
    copy[n] = '\0';
    return (struct slice){copy, n};
}

struct slice request_query_param(const struct request *req, const char *name)
{
    struct slice rest = req->query;

    while (rest.n > 0) {
        struct slice value = slice_split(&rest, '&');
        struct slice key = slice_split(&value, '=');

        if (!slice_eq_z(key, name))
            continue;
        if (value.p == NULL)
            return SLICE("");
        return decode_form(req->arena, value);
    }
    return (struct slice){NULL, 0};
}

struct slice request_remote_addr(const struct request *req)
{
    return find_variable(req, "REMOTE_ADDR");
}

int request_gone_fd(const struct request *req)
{
    return req->transport == NULL ? -1 : req->transport->gone_fd;
}

bool request_is_gone(const struct request *req)
{
    return req->transport != NULL && req->transport->ops->is_gone(req->transport);
}

bool request_is_draining(const struct request *req)
{
    (void)req; /* one drain for the whole process */
    return server_is_draining();
}

static struct slice find_variable(const struct request *req, const char *name)
{
    size_t n = strlen(name);

    if (req->env == NULL)
        return (struct slice){NULL, 0};
    for (const char *const *p = req->env; *p != NULL; p++) {
        if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
            return slice_of(*p + n + 1);
    }
    return (struct slice){NULL, 0};
}

static enum method parse_method(struct slice word)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (slice_eq_z(word, methods[i].name))
            return methods[i].method;
    }
    return METHOD_OTHER;
}

/* -1: absent, or no length. The web server has checked it; this guards against one that has not. */
static int64_t parse_length(struct slice value)
{
    int64_t n = -1;

    if (slice_to_i64(slice_trim(value), &n) != ERR_OK || n < 0)
        return -1;
    return n;
}
