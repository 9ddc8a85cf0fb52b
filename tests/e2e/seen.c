#include "tests/e2e/seen.h"

#include "tests/e2e/http.h"
#include "tests/e2e/stack.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The body of a GET, in the ring. */
static const char *get(int sim, const char *path)
{
    struct http_reply reply;
    struct http_call call = {.port = stack.sims[sim].port, .path = path};
    http_run(&call, &reply);
    if (reply.status != 200)
        stack_fail("provider simulator %d: GET %s: %d %s", sim, path, reply.status, reply.fault);
    const char *body = http_printf("%s", reply.body);
    http_reply_clear(&reply);
    return body;
}

int64_t seen_count(int sim, const char *path)
{
    const char *value = http_field(get(sim, "/_tally"), path);
    return value != NULL ? strtoll(value, NULL, 10) : 0;
}

const char *seen_request(int sim, const char *needle)
{
    struct json_object *root = json_tokener_parse(get(sim, "/_last?n=64"));
    struct json_object *requests = NULL;
    struct json_object *body = NULL;
    const char *found = NULL;
    if (root == NULL || !json_object_object_get_ex(root, "requests", &requests))
        stack_fail("provider simulator %d: /_last is not as expected", sim);
    for (size_t i = json_object_array_length(requests); i > 0 && found == NULL; i--) {
        struct json_object *one = json_object_array_get_idx(requests, i - 1);
        if (json_object_object_get_ex(one, "body", &body) && body != NULL &&
            strstr(json_object_get_string(body), needle) != NULL)
            found = http_printf("%s", json_object_to_json_string_ext(one, JSON_C_TO_STRING_PLAIN));
    }
    json_object_put(root);
    return found;
}

const char *seen_newest(int sim)
{
    return http_field(get(sim, "/_last?n=1"), "requests.0");
}

const char *seen_header(const char *request, const char *name)
{
    struct json_object *root = json_tokener_parse(request);
    struct json_object *headers = NULL;
    const char *found = NULL;
    if (root == NULL || !json_object_object_get_ex(root, "headers", &headers))
        stack_fail("no request of the simulator: %.100s", request);
    for (size_t i = 0; i < json_object_array_length(headers) && found == NULL; i++) {
        struct json_object *pair = json_object_array_get_idx(headers, i);
        if (strcasecmp(json_object_get_string(json_object_array_get_idx(pair, 0)), name) == 0)
            found = http_printf("%s", json_object_get_string(json_object_array_get_idx(pair, 1)));
    }
    json_object_put(root);
    return found;
}
