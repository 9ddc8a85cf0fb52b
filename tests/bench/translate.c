/* translate - what translation costs the processor, in memory, without a network: a 200 kB request
 * of 100 messages and a long stream, between all pairs of formats.
 *
 * Prints a row for each pair, like tests/bench/run.sh, which tells the targets. One thread; times
 * are of this process, medians of ROUNDS. */
#include "tests/unit/exchange_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FORMATS = 4, ROUNDS = 15, MESSAGES = 100, MESSAGE_BYTES = 2000, EVENTS = 2000 };

#define ARENA_MAX      ((size_t)256 << 20)
#define TEXT_MAX       ((size_t)16 << 20)
#define REQUEST_MS_MAX 5.0
#define EVENT_US_MAX   20.0

static const struct format *const formats[FORMATS] = {&format_openai_chat, &format_openai_responses,
                                                      &format_anthropic, &format_gemini};
static const char *const heads[FORMATS] = {
    "{\"model\":\"client-model\",\"stream\":true,\"messages\":[",
    "{\"model\":\"client-model\",\"stream\":true,\"input\":[",
    "{\"model\":\"client-model\",\"stream\":true,\"max_tokens\":1000,\"messages\":[",
    "{\"contents\":[",
};
static const char *const roles[FORMATS] = {"assistant", "assistant", "assistant", "model"};
/* One event of text in a provider's stream, and what stands before and behind all of them. */
static const char *const opens[FORMATS] = {
    "data: "
    "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":["
    "{"
    "\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    "event: response.created\ndata: "
    "{\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":"
    "\"m\",\"created_at\":1}}\n\nevent: response.output_item.added\ndata: {\"type\":"
    "\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"i\",\"type\":\"message\","
    "\"role\":"
    "\"assistant\",\"content\":[]}}\n\nevent: response.content_part.added\ndata: {\"type\":"
    "\"response.content_part.added\",\"item_id\":\"i\",\"output_index\":0,\"content_index\":0,"
    "\"part\":{"
    "\"type\":\"output_text\",\"text\":\"\"}}\n\n",
    "event: message_start\ndata: "
    "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\","
    "\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":9,\"output_"
    "tokens\":1}"
    "}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "",
};
static const char *const events[FORMATS] = {
    "data: "
    "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":["
    "{"
    "\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n",
    "event: response.output_text.delta\ndata: "
    "{\"type\":\"response.output_text.delta\",\"item_id\":\"i\","
    "\"output_index\":0,\"content_index\":0,\"delta\":\" word\"}\n\n",
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
    "\"text_delta\",\"text\":\" word\"}}\n\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" "
    "word\"}],\"role\":\"model\"},\"index\":0}]"
    ",\"modelVersion\":\"m\",\"responseId\":\"r\"}\n\n",
};
static const char *const ends[FORMATS] = {
    "data: "
    "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":["
    "{"
    "\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    "event: response.completed\ndata: "
    "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"model\":"
    "\"m\",\"status\":\"completed\",\"output\":[]}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: "
    "message_delta\ndata: "
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
    "\"output_tokens\":9}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    "data: "
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},"
    "\"finishReason\":"
    "\"STOP\",\"index\":0}],\"modelVersion\":\"m\",\"responseId\":\"r\"}\n\n",
};

/* A failure here is a mistake in this program or in the gateway: there is nothing to measure then. */
static void must(enum err e, const char *what)
{
    if (e == ERR_OK)
        return;
    fprintf(stderr, "translate: %s: %s\n", what, err_name(e));
    exit(1);
}

static double cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *samples)
{
    qsort(samples, ROUNDS, sizeof(*samples), compare);
    return samples[ROUNDS / 2];
}

static void put_message(struct buf *b, int format, int i)
{
    const char *role = i % 2 ? roles[format] : "user";
    int n;

    must(buf_append_z(b, i ? "," : ""), "request");
    must(format == 3 ? buf_printf(b, "{\"role\":\"%s\",\"parts\":[{\"text\":\"", role)
                     : buf_printf(b, "{\"role\":\"%s\",\"content\":\"", role),
         "request");
    for (n = 0; n < MESSAGE_BYTES; n += 20)
        must(buf_append_z(b, "some \\\"words\\\" and\\n "), "request");
    must(buf_append_z(b, format == 3 ? "\"}]}" : "\"}"), "request");
}

static void put_request(struct buf *b, int format)
{
    int i;

    must(buf_append_z(b, heads[format]), "request");
    for (i = 0; i < MESSAGES - 1; i++)
        put_message(b, format, i);
    must(buf_append_z(b, "]}"), "request");
}

static void put_stream(struct buf *b, int format)
{
    int i;

    must(buf_append_z(b, opens[format]), "stream");
    for (i = 0; i < EVENTS; i++)
        must(buf_append_z(b, events[format]), "stream");
    must(buf_append_z(b, ends[format]), "stream");
}

struct cost {
    double request_us, event_us; /* the request: read_request is not counted */
    size_t answer_bytes;         /* of the arena, used by the answer */
};

static void measure(struct arena *a, struct slice request, struct slice stream, int from, int to,
                    struct cost *out)
{
    struct capability capability = exchange_capability(formats[to]);
    struct format_call call = {.body = request, .is_stream = true};
    double requests[ROUNDS], streams[ROUNDS], begun;
    struct exchange x;
    struct buf body;
    size_t used;
    int i;

    if (from == 3)
        call.model = SLICE(EXCHANGE_PUBLIC);
    for (i = 0; i < ROUNDS; i++) {
        must(exchange_open(&x, a, formats[from], formats[to], &call, &capability, false), "open");
        buf_init(&body, TEXT_MAX);
        begun = cpu_us();
        must(exchange_request(&x, &body), "request");
        requests[i] = cpu_us() - begun;
        used = arena_used(a);
        begun = cpu_us();
        must(exchange_stream(&x, stream, (struct pieces){16384, 16384}), "stream");
        streams[i] = (cpu_us() - begun) / EVENTS;
        out->answer_bytes = arena_used(a) - used;
        buf_clear(&body);
        exchange_close(&x);
        arena_reset(a);
    }
    out->request_us = median(requests);
    out->event_us = median(streams);
}

static const char *verdict(bool is_met)
{
    return is_met ? "ok" : "MISSED";
}

int main(void)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct buf requests[FORMATS], streams[FORMATS];
    struct cost c;
    int from, to;

    if (!a)
        return 1;
    for (from = 0; from < FORMATS; from++) {
        buf_init(&requests[from], TEXT_MAX);
        buf_init(&streams[from], TEXT_MAX);
        put_request(&requests[from], from);
        put_stream(&streams[from], from);
    }
    printf("\nprocessor for a translation: a request of %d messages and %zu kB (target < %.0f ms), "
           "an event of a "
           "stream (target < %.0f us)\n",
           MESSAGES, requests[0].n / 1000, REQUEST_MS_MAX, EVENT_US_MAX);
    printf("%-38s %12s %9s %12s %9s %12s\n", "client, provider", "request, ms", "verdict",
           "event, us", "verdict", "answer, kB");
    for (from = 0; from < FORMATS; from++) {
        for (to = 0; to < FORMATS; to++) {
            measure(a, buf_slice(&requests[from]), buf_slice(&streams[to]), from, to, &c);
            printf("%-18s %-19s %12.2f %9s %12.2f %9s %12zu\n", formats[from]->name,
                   formats[to]->name, c.request_us / 1000,
                   verdict(c.request_us / 1000 < REQUEST_MS_MAX), c.event_us,
                   verdict(c.event_us < EVENT_US_MAX), c.answer_bytes / 1000);
        }
    }
    for (from = 0; from < FORMATS; from++) {
        buf_clear(&requests[from]);
        buf_clear(&streams[from]);
    }
    arena_free(a);
    return 0;
}
