#include "handlers/selftest.h"

#include "base/hash.h"
#include "base/json.h"
#include "fcgi/response.h"
#include "handlers/app.h"

#include <poll.h>
#include <stdio.h>

#define EVENTS_USUAL   5
#define EVENTS_MAX     100
#define PACE_USUAL_MS  100
#define PACE_MAX_MS    1000
#define SILENCE_MAX_MS 120000
#define STEP_MS        250
#define EVENT_SIZE     96

/* false: the request was refused. */
static bool read_number(struct request *req, const char *name, int64_t usual, int64_t max,
                        int64_t *out)
{
    struct slice text = request_query_param(req, name);
    *out = usual;
    if (text.p == NULL || (slice_to_i64(text, out) == ERR_OK && *out >= 0 && *out <= max))
        return true;
    request_fail(req, ERR_BAD_REQUEST, name, "%s: expected 0 to %lld", name, (long long)max);
    return false;
}

static enum err send_event(struct request *req, const char *text)
{
    enum err e = response_write(req, slice_of(text));
    return e != ERR_OK ? e : response_flush(req);
}

/* Nothing for so long, but for what a silent provider's client gets: a comment each ping_ms. */
static enum err be_silent(struct request *req, int64_t ms, bool has_pings)
{
    int64_t now = clock_mono_ms(), end = now + ms, ping = now + req->config->ping_ms;
    while (now < end) {
        if (request_is_gone(req))
            return ERR_CLIENT_GONE;
        if (atomic_load(app_of(req)->is_stopping))
            return ERR_UNAVAILABLE;
        if (has_pings && now >= ping) {
            enum err e = send_event(req, ": ping\n\n");
            if (e != ERR_OK)
                return e;
            ping = now + req->config->ping_ms;
        }
        int64_t left = end - now;
        poll(NULL, 0, (int)(left < STEP_MS ? left : STEP_MS));
        now = clock_mono_ms();
    }
    return ERR_OK;
}

void selftest_stream(struct request *req)
{
    int64_t events, pace_ms, silence_ms;
    char text[EVENT_SIZE];
    if (!read_number(req, "events", EVENTS_USUAL, EVENTS_MAX, &events) ||
        !read_number(req, "pace_ms", PACE_USUAL_MS, PACE_MAX_MS, &pace_ms) ||
        !read_number(req, "silence_ms", 0, SILENCE_MAX_MS, &silence_ms))
        return;
    response_header_z(req, "content-type", "text/event-stream");
    response_header_z(req, "cache-control", "no-cache");
    response_header_z(req, "x-accel-buffering", "no");
    enum err e = ERR_OK;
    for (int64_t i = 0; e == ERR_OK && i < events; i++) {
        if (i > 0)
            e = be_silent(req, pace_ms, false);
        (void)snprintf(text, sizeof(text), "data: {\"n\":%lld}\n\n", (long long)i);
        if (e == ERR_OK)
            e = send_event(req, text);
    }
    if (e == ERR_OK)
        e = be_silent(req, silence_ms, true);
    if (e == ERR_OK)
        e = send_event(req, "data: [DONE]\n\n");
    (void)e; /* who left does not get the rest */
}

void selftest_body(struct request *req)
{
    uint8_t hash[SHA256_BYTES];
    char hex[SHA256_HEX_SIZE];
    hash_sha256(req->body, hash);
    hash_hex(hex, hash, sizeof(hash));
    struct json_object *o = json_object_new_object();
    if (o == NULL || json_add_i64(o, "body_bytes", (int64_t)req->body.n) != ERR_OK ||
        json_add_string(o, "sha256", hex) != ERR_OK) {
        json_object_put(o);
        request_fail(req, ERR_MEMORY, NULL, NULL);
        return;
    }
    enum err e = response_json(req, 200, o);
    (void)e; /* a client that is gone does not get it */
}
