#include "tests/provider/history.h"

#include <openssl/evp.h>
#include <string.h>

static const char *const outcome_words[] = {
    [HISTORY_RUNNING] = "running",
    [HISTORY_WHOLE] = "whole",
    [HISTORY_CUT_BY_CLIENT] = "cut_by_client",
    [HISTORY_CUT_BY_SCRIPT] = "cut_by_script",
};

struct history_entry *history_add(struct history *h, struct inbound *in, uint64_t connection,
                                  int64_t now_us)
{
    struct history_entry *e = &h->entries[h->last % HISTORY_ENTRIES];
    struct bytes head = e->head;
    struct bytes body = e->body;
    bytes_swap(&head, &in->head);
    *e = (struct history_entry){
        .number = ++h->last,
        .connection = connection,
        .head = head,
        .body_bytes = in->body.len,
        .has_body = in->body.len <= HISTORY_BODY_MAX || h->keep_bodies,
        .begun_us = now_us,
    };
    if (e->has_body)
        bytes_swap(&body, &in->body);
    else
        EVP_Digest(in->body.data, in->body.len, e->sha256, NULL, EVP_sha256(), NULL);
    e->body = body;
    if (!e->has_body)
        e->body.len = 0;
    bytes_reset(&in->head);
    bytes_reset(&in->body);
    return e;
}

struct history_entry *history_find(struct history *h, uint64_t number)
{
    if (number == 0)
        return NULL;
    struct history_entry *e = &h->entries[(number - 1) % HISTORY_ENTRIES];
    return e->number == number ? e : NULL;
}

static void print_body(const struct history_entry *e, struct bytes *out)
{
    unsigned char sha256[HISTORY_SHA256];
    memcpy(sha256, e->sha256, sizeof(sha256));
    if (e->has_body)
        EVP_Digest(e->body.data, e->body.len, sha256, NULL, EVP_sha256(), NULL);
    bytes_printf(out, ",\"body_bytes\":%zu,\"body_sha256\":\"", e->body_bytes);
    for (size_t i = 0; i < sizeof(sha256); i++)
        bytes_printf(out, "%02x", sha256[i]);
    bytes_puts(out, "\",\"body\":");
    if (e->has_body && utf8_is_valid(e->body.data, e->body.len)) {
        bytes_put_quoted(out, e->body.data, e->body.len);
        return;
    }
    bytes_puts(out, "null");
    if (!e->has_body)
        return;
    bytes_puts(out, ",\"body_base64\":\"");
    char *room = bytes_room(out, (e->body.len / 3 + 1) * 4 + 1);
    out->len += (size_t)EVP_EncodeBlock((unsigned char *)room, (unsigned char *)e->body.data,
                                        (int)e->body.len);
    bytes_puts(out, "\"");
}

static void print_head(const struct history_entry *e, struct bytes *out)
{
    struct span head = {e->head.data, e->head.len};
    struct span name;
    struct span value;
    size_t at = 0;
    const char *comma = "";
    const char *space = memchr(head.at, ' ', head.len);
    const char *line_end = memchr(head.at, '\r', head.len);
    if (space != NULL && line_end != NULL && line_end - space > 9) {
        bytes_puts(out, ",\"method\":");
        bytes_put_quoted(out, head.at, (size_t)(space - head.at));
        bytes_puts(out, ",\"path\":");
        bytes_put_quoted(out, space + 1, (size_t)(line_end - 9 - (space + 1)));
    }
    bytes_puts(out, ",\"headers\":[");
    while (inbound_next_header(head, &at, &name, &value)) {
        bytes_printf(out, "%s[", comma);
        bytes_put_quoted(out, name.at, name.len);
        bytes_puts(out, ",");
        bytes_put_quoted(out, value.at, value.len);
        bytes_puts(out, "]");
        comma = ",";
    }
    bytes_puts(out, "]");
}

/* A duration in ms with three decimals, or null when `to` has not happened. */
static void print_ms(struct bytes *out, const char *label, int64_t from_us, int64_t to_us)
{
    if (to_us == 0 || from_us == 0)
        bytes_printf(out, ",\"%s\":null", label);
    else
        bytes_printf(out, ",\"%s\":%.3f", label, (double)(to_us - from_us) / 1000.0);
}

static void print_entry(const struct history_entry *e, struct bytes *out)
{
    bool is_gone = e->outcome == HISTORY_CUT_BY_CLIENT;
    bytes_printf(out, "{\"number\":%ju,\"connection\":%ju", (uintmax_t)e->number,
                 (uintmax_t)e->connection);
    print_head(e, out);
    print_body(e, out);
    bytes_printf(out, ",\"status\":%d,\"outcome\":\"%s\",\"sent_bytes\":%jd", e->status,
                 outcome_words[e->outcome], (intmax_t)e->sent_bytes);
    print_ms(out, "first_byte_ms", e->begun_us, e->first_us);
    print_ms(out, "ended_ms", e->begun_us, e->ended_us);
    print_ms(out, "gone_ms", e->begun_us, is_gone ? e->ended_us : 0);
    print_ms(out, "gone_after_first_byte_ms", e->first_us, is_gone ? e->ended_us : 0);
    bytes_puts(out, "}");
}

void history_print(const struct history *h, size_t count, struct bytes *out)
{
    uint64_t shown = count < HISTORY_ENTRIES ? count : HISTORY_ENTRIES;
    if (shown > h->last)
        shown = h->last;
    bytes_puts(out, "{\"requests\":[");
    for (uint64_t number = h->last - shown + 1; number <= h->last; number++) {
        if (number > h->last - shown + 1)
            bytes_puts(out, ",\n");
        print_entry(&h->entries[(number - 1) % HISTORY_ENTRIES], out);
    }
    bytes_puts(out, "]}\n");
}

void history_clear(struct history *h)
{
    for (size_t i = 0; i < HISTORY_ENTRIES; i++) {
        bytes_clear(&h->entries[i].head);
        bytes_clear(&h->entries[i].body);
    }
    *h = (struct history){.keep_bodies = h->keep_bodies};
}
