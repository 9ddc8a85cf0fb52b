#include "handlers/outgoing.h"

#include "base/buf.h"
#include "base/hash.h"

#include <string.h>

#define HEADER_MAX ((size_t)8192) /* one line of a channel's own */
#define KEY_MARK   "{key}"

static enum err add(struct transfer_spec *spec, const char *line)
{
    if (line == NULL || spec->headers_n == TRANSFER_HEADERS_MAX)
        return ERR_MEMORY;
    spec->headers[spec->headers_n++] = line;
    return ERR_OK;
}

/* The client's own headers that concern a provider of its format, else what the format must say. */
static enum err add_format_headers(const struct outgoing *o, struct transfer_spec *spec)
{
    struct request *req = o->req;
    enum err e = ERR_OK;
    for (const char *const *name = o->format->forwarded_headers; o->forwards && *name && !e;
         name++) {
        struct slice value = slice_trim(request_header(req, *name));
        if (value.n > 0)
            e = add(spec, arena_printf(req->arena, "%s: %.*s", *name, SLICE_FMT(value)));
    }
    for (const char *const *line = o->format->default_headers; *line && !e; line++) {
        struct slice rest = slice_of(*line);
        const char *name = arena_copy(req->arena, slice_split(&rest, ':'));
        if (name == NULL)
            return ERR_MEMORY;
        if (!o->forwards || slice_trim(request_header(req, name)).n == 0)
            e = add(spec, *line);
    }
    return e;
}

static enum err add_account_headers(const struct outgoing *o, struct transfer_spec *spec)
{
    const struct catalog_channel *channel = o->route->channel;
    struct arena *arena = o->req->arena;
    enum err e = ERR_OK;
    if (channel->organization != NULL)
        e = add(spec, arena_printf(arena, "openai-organization: %s", channel->organization));
    if (e == ERR_OK && channel->project != NULL)
        e = add(spec, arena_printf(arena, "openai-project: %s", channel->project));
    return e;
}

static void remove_header(struct transfer_spec *spec, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < spec->headers_n; i++) {
        struct slice rest = slice_of(spec->headers[i]);
        if (!slice_eq_ci(slice_split(&rest, ':'), name))
            spec->headers[kept++] = spec->headers[i];
    }
    spec->headers_n = kept;
}

/* "name: value", with the key in the place of each {key}. */
static const char *write_header(const struct outgoing *o, const struct catalog_header *h)
{
    struct buf line;
    buf_init(&line, HEADER_MAX);
    enum err e = buf_printf(&line, "%s: ", h->name);
    for (const char *at = h->value; e == ERR_OK && *at != '\0';) {
        const char *mark = strstr(at, KEY_MARK);
        e = buf_append(&line, at, mark != NULL ? (size_t)(mark - at) : strlen(at));
        if (mark == NULL)
            break;
        if (e == ERR_OK)
            e = buf_append_z(&line, o->key->secret);
        at = mark + strlen(KEY_MARK);
    }
    const char *copy = e == ERR_OK ? arena_copy(o->req->arena, buf_slice(&line)) : NULL;
    if (line.n > 0)
        hash_wipe(line.p, line.n);
    buf_clear(&line);
    return copy;
}

static enum err add_own_headers(const struct outgoing *o, struct transfer_spec *spec)
{
    const struct catalog_channel *channel = o->route->channel;
    enum err e = ERR_OK;
    for (size_t i = 0; i < channel->headers_n && e == ERR_OK; i++) {
        const struct catalog_header *h = &channel->headers[i];
        remove_header(spec, h->name);
        if (h->value != NULL)
            e = add(spec, write_header(o, h));
    }
    return e;
}

static enum err add_headers(const struct outgoing *o, struct transfer_spec *spec)
{
    enum err e = add(spec, o->format->auth_header(o->req->arena, o->key->secret));
    if (e == ERR_OK)
        e = add(spec, "Content-Type: application/json");
    if (e == ERR_OK)
        e = add(spec, "User-Agent: aipass/" AIPASS_VERSION);
    if (e == ERR_OK)
        e = add(spec, o->is_stream ? "Accept: text/event-stream" : "Accept: application/json");
    if (e == ERR_OK)
        e = add_format_headers(o, spec);
    if (e == ERR_OK)
        e = add_account_headers(o, spec);
    return e == ERR_OK ? add_own_headers(o, spec) : e;
}

static int64_t or_default(int64_t own_ms, int64_t default_ms)
{
    return own_ms > 0 ? own_ms : default_ms;
}

static void fill_timers(const struct outgoing *o, struct transfer_spec *spec)
{
    const struct config *config = o->req->config;
    const struct catalog_timers *own = &o->route->timers;
    spec->connect_ms = or_default(own->connect_ms, config->connect_ms);
    spec->first_byte_ms = or_default(own->first_byte_ms, o->is_stream
                                                             ? config->first_byte_stream_ms
                                                             : config->first_byte_whole_ms);
    spec->between_bytes_ms = or_default(own->between_bytes_ms, config->between_bytes_ms);
    spec->total_ms = or_default(own->total_ms, config->total_ms);
    spec->ping_ms = o->is_stream ? config->ping_ms : 0;
}

enum err outgoing_fill(const struct outgoing *o, struct transfer_spec *spec)
{
    const struct catalog_channel *channel = o->route->channel;
    if (o->path == NULL)
        return ERR_MEMORY;
    *spec = (struct transfer_spec){
        .url = arena_printf(o->req->arena, "%s%s", channel->base_url, o->path),
        .reach = {channel->proxy_url, channel->ca_pem, channel->allow_private},
        .reuse_key = (uint64_t)channel->id,
        .gone_fd = -1,
    };
    fill_timers(o, spec);
    return spec->url == NULL ? ERR_MEMORY : add_headers(o, spec);
}
