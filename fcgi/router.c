#include "fcgi/router.h"

#include "base/log.h"
#include "fcgi/response.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define ALLOW_SIZE 64

static const struct {
    unsigned bit;
    const char *name;
} method_names[] = {
    {METHOD_GET,     "GET"    },
    {METHOD_HEAD,    "HEAD"   },
    {METHOD_POST,    "POST"   },
    {METHOD_PUT,     "PUT"    },
    {METHOD_DELETE,  "DELETE" },
    {METHOD_OPTIONS, "OPTIONS"},
};

static bool match(const struct route *route, struct request *req);
static void print_allow(char *dst, unsigned allowed);
static void answer_empty(struct request *req, int status, unsigned allowed);
static void run_handler(const struct router *router, struct request *req);

/* The next segment of *rest that is not empty; p NULL: there is none. Afterwards *rest follows
 * it. */
static struct slice next_segment(struct slice *rest)
{
    size_t n = 0;
    struct slice segment;

    while (rest->n > 0 && rest->p[0] == '/') {
        rest->p++;
        rest->n--;
    }
    if (rest->n == 0)
        return (struct slice){NULL, 0};
    while (n < rest->n && rest->p[n] != '/')
        n++;
    segment = (struct slice){rest->p, n};
    rest->p += n;
    rest->n -= n;
    return segment;
}

/* Absolute form (RFC 9112 3.2.2): what follows scheme and authority. */
static struct slice skip_authority(struct slice uri)
{
    size_t skip = 0;

    if (slice_starts_ci(uri, "http://"))
        skip = strlen("http://");
    else if (slice_starts_ci(uri, "https://"))
        skip = strlen("https://");
    if (skip == 0)
        return uri;
    while (skip < uri.n && uri.p[skip] != '/' && uri.p[skip] != '?')
        skip++;
    return (struct slice){uri.p + skip, uri.n - skip};
}

/* Drops the segments of prefix from the front of path; a path that does not begin with all of
 * them stays. */
static struct slice skip_prefix(struct slice path, struct slice prefix)
{
    struct slice rest = path;
    struct slice want;

    while ((want = next_segment(&prefix)).p != NULL) {
        struct slice have = next_segment(&rest);

        if (have.p == NULL || have.n != want.n || memcmp(have.p, want.p, want.n) != 0)
            return path;
    }
    return rest;
}

void router_normalize(struct request *req, struct slice request_uri, struct slice prefix)
{
    struct slice rest = skip_authority(request_uri);
    struct slice path = slice_split(&rest, '?');

    req->query = rest;
    req->saw_version = false;
    req->saw_v1beta = false;
    path = skip_prefix(path, prefix);
    for (;;) {
        struct slice after = path;
        struct slice segment = next_segment(&after);

        if (slice_eq_z(segment, "v1beta") || slice_eq_z(segment, "v1alpha"))
            req->saw_v1beta = true;
        else if (req->saw_v1beta && slice_eq_z(segment, "openai"))
            req->saw_v1beta = false; /* the alias of the OpenAI paths */
        else if (!slice_eq_z(segment, "v1"))
            break;
        req->saw_version = true;
        path = after;
    }
    while (path.n > 1 && path.p[0] == '/' && path.p[1] == '/') {
        path.p++;
        path.n--;
    }
    req->path = path.n == 0 ? SLICE("/") : path;
}

static bool is_root(struct slice path)
{
    return next_segment(&path).p == NULL;
}

/* Methods that route answers, HEAD beside GET and OPTIONS always. */
static unsigned allowed_by(const struct route *route)
{
    unsigned methods = route->methods | METHOD_OPTIONS;

    return methods & METHOD_GET ? methods | METHOD_HEAD : methods;
}

enum err router_find(const struct router *router, struct request *req, unsigned *allowed)
{
    unsigned wanted = req->method;
    unsigned seen = 0;
    const struct route *first = NULL;

    if (wanted == METHOD_HEAD)
        wanted |= METHOD_GET;
    req->route = NULL;
    for (size_t i = 0; i < router->routes_n; i++) {
        const struct route *route = &router->routes[i];

        if ((route->flags & ROUTE_ROOT) && req->saw_version)
            continue;
        if (!match(route, req))
            continue;
        if (route->methods & wanted) {
            req->route = route;
            *allowed = allowed_by(route);
            return ERR_OK;
        }
        seen |= allowed_by(route);
        if (first == NULL)
            first = route;
    }
    if (first == NULL)
        return ERR_NOT_FOUND;
    memset(req->params, 0, sizeof(req->params));
    req->route = first;
    *allowed = seen;
    return ERR_METHOD;
}

void router_run(const struct router *router, struct request *req, enum err found, unsigned allowed)
{
    if (req->method == METHOD_HEAD) {
        bool is_row = found == ERR_OK && (req->route->methods & METHOD_HEAD);
        bool is_open = found == ERR_OK && !(req->route->flags & ROUTE_NEEDS_KEY);

        if (is_row || is_open)
            run_handler(router, req);
        else if (found == ERR_OK || (req->saw_version && is_root(req->path)))
            answer_empty(req, 200, 0);
        else
            answer_empty(req, 404, 0);
        return;
    }
    if (found == ERR_OK) {
        run_handler(router, req);
    } else if (found == ERR_METHOD && req->method == METHOD_OPTIONS) {
        answer_empty(req, 204, allowed);
    } else if (found == ERR_METHOD) {
        char allow[ALLOW_SIZE];

        print_allow(allow, allowed);
        response_header_z(req, "allow", allow);
        request_fail(req, ERR_METHOD, NULL, "This path answers %s only.", allow);
    } else {
        request_fail(req, ERR_NOT_FOUND, NULL, "There is no such path here.");
    }
}

void router_dispatch(const struct router *router, struct request *req)
{
    unsigned allowed = 0;
    enum err found = router_find(router, req, &allowed);

    router_run(router, req, found, allowed);
}

static bool is_param(struct slice pattern)
{
    return pattern.n > 2 && pattern.p[0] == '{' && pattern.p[pattern.n - 1] == '}';
}

/* {name...}: the pattern's last segment takes the rest of the path. */
static bool is_rest_param(struct slice pattern)
{
    return is_param(pattern) && pattern.n > 5 && memcmp(pattern.p + pattern.n - 4, "...", 3) == 0;
}

/* {name...}:verb: the part of the pattern with its colon; p NULL when it is none. */
static struct slice verb_of(struct slice *pattern)
{
    const char *brace = memrchr(pattern->p, '}', pattern->n);
    struct slice verb = {NULL, 0};

    if (brace == NULL || brace + 1 == pattern->p + pattern->n || brace[1] != ':')
        return verb;
    verb = (struct slice){brace + 1, (size_t)(pattern->p + pattern->n - brace - 1)};
    pattern->n -= verb.n;
    return verb;
}

/* Takes the verb off the end of a path. False: it does not end so. */
static bool take_verb(struct slice *path, struct slice verb)
{
    if (path->n <= verb.n || memcmp(path->p + path->n - verb.n, verb.p, verb.n) != 0)
        return false;
    path->n -= verb.n;
    return true;
}

/* Decoded into the arena when there is something to decode. False: not a name that anything here
 * can have. */
static bool decode_param(struct request *req, struct slice raw, struct slice *out)
{
    char *copy;
    size_t n;

    if (memchr(raw.p, '%', raw.n) == NULL) {
        *out = raw;
        return str_is_utf8(raw) && memchr(raw.p, '\0', raw.n) == NULL;
    }
    copy = arena_alloc(req->arena, raw.n + 1);
    if (copy == NULL)
        return false;
    n = str_percent_decode(copy, raw.n, raw, false);
    if (n == SIZE_MAX || !str_is_utf8((struct slice){copy, n}))
        return false;
    copy[n] = '\0';
    *out = (struct slice){copy, n};
    return true;
}

/* From segment to the end of rest, without slashes at the end. */
static struct slice join_rest(struct slice segment, struct slice rest)
{
    struct slice joined = {segment.p, segment.n + rest.n};

    while (joined.p[joined.n - 1] == '/')
        joined.n--;
    return joined;
}

static bool match(const struct route *route, struct request *req)
{
    struct slice pattern_rest = slice_of(route->pattern);
    struct slice path_rest = req->path;
    size_t params_n = 0;

    for (;;) {
        struct slice pattern = next_segment(&pattern_rest);
        struct slice segment = next_segment(&path_rest);
        struct slice verb, whole;

        if (pattern.p == NULL || segment.p == NULL)
            return pattern.p == NULL && segment.p == NULL;
        verb = verb_of(&pattern);
        if (!is_param(pattern)) {
            if (pattern.n != segment.n || memcmp(pattern.p, segment.p, segment.n) != 0)
                return false;
            continue;
        }
        assert(params_n < REQUEST_PARAMS_MAX);
        if (is_rest_param(pattern)) {
            whole = join_rest(segment, path_rest);
            return (verb.n == 0 || take_verb(&whole, verb)) &&
                   decode_param(req, whole, &req->params[params_n]);
        }
        if (!decode_param(req, segment, &req->params[params_n]))
            return false;
        params_n++;
    }
}

/* dst: ALLOW_SIZE bytes, enough for all names. */
static void print_allow(char *dst, unsigned allowed)
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof(method_names) / sizeof(method_names[0]); i++) {
        const char *name = method_names[i].name;

        if (!(allowed & method_names[i].bit))
            continue;
        assert(n + strlen(name) + 3 <= ALLOW_SIZE);
        if (n > 0) {
            memcpy(dst + n, ", ", 2);
            n += 2;
        }
        memcpy(dst + n, name, strlen(name));
        n += strlen(name);
    }
    dst[n] = '\0';
}

static void answer_empty(struct request *req, int status, unsigned allowed)
{
    char allow[ALLOW_SIZE];

    response_status(req, status);
    if (allowed != 0) {
        print_allow(allow, allowed);
        response_header_z(req, "allow", allow);
    }
    (void)!response_write(req, SLICE("")); /* the head leaves when the request ends */
}

static void run_handler(const struct router *router, struct request *req)
{
    const struct route *route = req->route;

    req->app = router->app;
    if ((route->flags & ROUTE_NEEDS_KEY) && router->authenticate != NULL) {
        enum err e = router->authenticate(req);

        if (e != ERR_OK) {
            /* It has answered; if it only refused, the text of the table must do. */
            if (!response_is_committed(req))
                request_fail(req, e, NULL, NULL);
            return;
        }
    }
    route->handler(req);
    if (!response_is_committed(req))
        request_fail(req, request_is_gone(req) ? ERR_CLIENT_GONE : ERR_INTERNAL, NULL, NULL);
}
