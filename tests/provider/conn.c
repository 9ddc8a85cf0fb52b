#include "tests/provider/conn.h"

#include "tests/provider/play.h"
#include "tests/provider/routes.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,
    PENDING_BYTES_MAX = 256 * 1024, /* of pipelined requests; beyond it reading pauses */
    BATCH_BYTES = 32 * 1024,        /* events gathered for one write */
    DRIP_BYTES = 3,
    LINGER_US = 2 * 1000 * 1000,
};

enum conn_state { CONN_HANDSHAKE, CONN_READING, CONN_ANSWERING, CONN_LINGERING };

struct conn {
    struct timer timer; /* first, so that a timer is its connection */
    struct sim *sim;
    struct conn *next; /* in sim->open */
    struct conn **previous_next;
    struct sock sock;
    uint64_t number;
    enum conn_state state;
    enum play_verdict verdict; /* what follows once `out` is sent */
    bool is_dead;              /* to be freed when the event has been handled */
    bool is_open_request;      /* counted as accepted and not yet as ended */
    bool was_used;
    uint32_t watched; /* events asked of epoll */
    uint64_t entry;   /* of the history; 0: none */
    struct inbound in;
    struct bytes pending; /* received behind the request that is being answered */
    struct bytes out;
    size_t out_sent;
    struct play play;
};

static void conn_watch(struct conn *c)
{
    uint32_t events = EPOLLRDHUP;
    if (c->pending.len < PENDING_BYTES_MAX)
        events |= EPOLLIN;
    bool is_dripping = c->state == CONN_ANSWERING && c->play.answer.script.is_drip;
    if (c->sock.wants_write || (c->out_sent < c->out.len && !is_dripping))
        events |= EPOLLOUT;
    if (events == c->watched || c->is_dead)
        return;
    struct epoll_event event = {.events = events, .data.ptr = c};
    int how = c->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(c->sim->epoll_fd, how, c->sock.fd, &event) != 0)
        c->is_dead = true;
    c->watched = events;
}

/* Free the connection. Its descriptor is closed, so epoll forgets it. */
static void conn_free(struct conn *c)
{
    timer_cancel(&c->sim->timers, &c->timer);
    *c->previous_next = c->next;
    if (c->next != NULL)
        c->next->previous_next = c->previous_next;
    if (c->sock.fd >= 0)
        sock_close(&c->sock);
    c->sim->tally.connections_open--;
    inbound_clear(&c->in);
    bytes_clear(&c->pending);
    bytes_clear(&c->out);
    play_clear(&c->play);
    free(c);
}

/* Count and note how the open request ended. */
static void conn_end_request(struct conn *c, enum history_outcome outcome)
{
    struct tally *t = &c->sim->tally;
    const struct answer *a = &c->play.answer;
    struct history_entry *e = history_find(&c->sim->history, c->entry);
    if (e != NULL) {
        e->outcome = outcome;
        e->ended_us = c->sim->now_us;
    }
    c->entry = 0;
    if (!c->is_open_request)
        return;
    c->is_open_request = false;
    t->in_flight--;
    t->completion_tokens_sent += a->pieces_sent;
    if (outcome == HISTORY_CUT_BY_CLIENT) {
        t->cut_by_client++;
    } else if (outcome == HISTORY_CUT_BY_SCRIPT) {
        t->cut_by_script++;
    } else if (c->play.status < 300) {
        t->finished++;
        t->prompt_tokens += a->prompt_tokens;
        t->completion_tokens += a->completion_tokens;
    } else {
        t->errors++;
    }
}

/* The client is gone, or the connection is broken. */
static void conn_lose(struct conn *c)
{
    bool is_half_received = c->state == CONN_READING && c->is_open_request;
    if (is_half_received)
        c->entry = history_add(&c->sim->history, &c->in, c->number, c->sim->now_us)->number;
    if (c->state == CONN_ANSWERING || is_half_received)
        conn_end_request(c, HISTORY_CUT_BY_CLIENT);
    c->is_dead = true;
}

/* Send what is in `out`. True when all of it went. */
static bool conn_flush(struct conn *c)
{
    bool is_drip = c->state == CONN_ANSWERING && c->play.answer.script.is_drip;
    while (c->out_sent < c->out.len) {
        size_t len = c->out.len - c->out_sent;
        if (is_drip && len > DRIP_BYTES)
            len = DRIP_BYTES;
        ssize_t n = sock_write(&c->sock, c->out.data + c->out_sent, len);
        if (n == SOCK_BROKEN)
            conn_lose(c);
        if (n <= 0)
            return false;
        c->out_sent += (size_t)n;
        struct history_entry *e = history_find(&c->sim->history, c->entry);
        if (e != NULL) {
            e->sent_bytes += n;
            if (e->first_us == 0)
                e->first_us = c->sim->now_us;
        }
        if (is_drip && c->out_sent < c->out.len) {
            /* Come back in the next round, so that the pieces leave as segments of their own. */
            timer_set(&c->sim->timers, &c->timer, c->sim->now_us);
            return false;
        }
    }
    bytes_reset(&c->out);
    c->out_sent = 0;
    return true;
}

/* Send our end and wait for theirs: closing at once would reset what they have not read yet. */
static void conn_linger(struct conn *c)
{
    c->state = CONN_LINGERING;
    c->pending.len = 0;
    sock_finish(&c->sock);
    timer_set(&c->sim->timers, &c->timer, c->sim->now_us + LINGER_US);
}

/* The answer is over, all its bytes are sent. */
static void conn_finish(struct conn *c)
{
    enum play_verdict verdict = c->verdict;
    bool is_keep_alive = c->play.is_keep_alive && verdict == PLAY_END;
    conn_end_request(c, c->play.is_cut_short ? HISTORY_CUT_BY_SCRIPT : HISTORY_WHOLE);
    timer_cancel(&c->sim->timers, &c->timer);
    play_reset(&c->play);
    inbound_reset(&c->in);
    if (verdict == PLAY_RESET) {
        sock_reset(&c->sock);
        c->is_dead = true;
    } else if (is_keep_alive) {
        c->state = CONN_READING;
    } else {
        conn_linger(c);
    }
}

/* Go on with the answer until it is over, must wait, or the socket is full. */
static void conn_play(struct conn *c)
{
    while (c->state == CONN_ANSWERING && !c->is_dead) {
        if (c->verdict == PLAY_MORE && c->out.len < BATCH_BYTES) {
            c->verdict = play_next(&c->play, c->sim->now_us, &c->out);
            continue;
        }
        if (!conn_flush(c))
            return;
        switch (c->verdict) {
        case PLAY_MORE:
            break;
        case PLAY_WAIT:
            timer_set(&c->sim->timers, &c->timer, c->play.due_us);
            return;
        case PLAY_HANG:
            return;
        default:
            conn_finish(c);
            break;
        }
    }
}

/* Start the answer to the request in c->in, or to one that cannot be read. */
static void conn_answer(struct conn *c)
{
    struct sim *sim = c->sim;
    struct play *play = &c->play;
    bool is_bad = c->in.state == INBOUND_BAD;
    play_reset(play);
    play->is_keep_alive = c->in.is_keep_alive;
    play->minor_version = is_bad ? 1 : c->in.minor_version;
    play->begun_us = sim->now_us;
    if (is_bad) {
        routes_refuse(c->in.fault_status, "The HTTP request could not be read.", play);
    } else {
        if (c->is_open_request)
            sim->tally.bodies++;
        routes_begin(sim, &c->in, play);
        if (routes_classify(&c->in) != ROUTE_CONTROL) {
            struct history_entry *e = history_add(&sim->history, &c->in, c->number, sim->now_us);
            e->status = play->status;
            c->entry = e->number;
            sim->tally.statuses[play->status]++;
        }
    }
    c->state = CONN_ANSWERING;
    c->verdict = PLAY_MORE;
    conn_play(c);
}

/* The head of a request is complete: count it, and let a hesitant client send its body. */
static void conn_begin_request(struct conn *c)
{
    struct tally *t = &c->sim->tally;
    enum route_class class = routes_classify(&c->in);
    if (class == ROUTE_ANSWER) {
        c->is_open_request = true;
        t->requests++;
        t->in_flight++;
        if (t->in_flight > t->in_flight_max)
            t->in_flight_max = t->in_flight;
        t->connections_used += !c->was_used;
        c->was_used = true;
    } else if (class == ROUTE_OTHER) {
        t->other_requests++;
    }
    if (c->in.wants_continue && c->in.minor_version > 0 && c->in.state != INBOUND_WHOLE) {
        bytes_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        conn_flush(c);
    }
}

/* Take received bytes; what lies behind a request that cannot be answered at once is kept. */
static void conn_take(struct conn *c, const char *data, size_t len)
{
    while (len > 0 && c->state == CONN_READING && !c->is_dead) {
        size_t used = 0;
        bool was_in_head = c->in.state == INBOUND_HEAD;
        enum inbound_state state = inbound_feed(&c->in, data, len, &used);
        data += used;
        len -= used;
        if (was_in_head && state != INBOUND_HEAD && state != INBOUND_BAD)
            conn_begin_request(c);
        if (state == INBOUND_WHOLE || state == INBOUND_BAD)
            conn_answer(c);
    }
    if (c->state == CONN_ANSWERING)
        bytes_put(&c->pending, data, len);
}

/* Answer the requests that came behind the one now finished. */
static void conn_take_pending(struct conn *c)
{
    while (c->state == CONN_READING && c->pending.len > 0 && !c->is_dead) {
        struct bytes taken = {0};
        bytes_swap(&taken, &c->pending);
        conn_take(c, taken.data, taken.len);
        bytes_clear(&taken);
    }
}

static void conn_read(struct conn *c)
{
    static char data[READ_BYTES];
    while (!c->is_dead && c->pending.len < PENDING_BYTES_MAX) {
        ssize_t n = sock_read(&c->sock, data, sizeof(data));
        if (n == SOCK_AGAIN)
            return;
        if (n <= 0) {
            conn_lose(c);
            return;
        }
        if (c->state != CONN_LINGERING)
            conn_take(c, data, (size_t)n);
        /* A short read of a plain socket has emptied it; TLS may hold more records. */
        if (c->sock.ssl == NULL && (size_t)n < sizeof(data))
            return;
    }
}

static void conn_shake_hands(struct conn *c)
{
    int outcome = sock_handshake(&c->sock);
    if (outcome == SOCK_BROKEN)
        c->is_dead = true;
    else if (outcome == 1)
        c->state = CONN_READING;
}

/* What every event ends with. */
static void conn_settle(struct conn *c)
{
    if (!c->is_dead)
        conn_take_pending(c);
    if (!c->is_dead)
        conn_watch(c);
    if (c->is_dead)
        conn_free(c);
}

void conn_ready(struct conn *c, uint32_t events)
{
    if (c->state == CONN_HANDSHAKE)
        conn_shake_hands(c);
    if (c->state == CONN_HANDSHAKE) {
        conn_settle(c);
        return;
    }
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0)
        conn_read(c);
    if ((events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0 && !c->is_dead)
        conn_lose(c);
    bool can_write = (events & EPOLLOUT) != 0 || c->sock.ssl != NULL;
    if (!c->is_dead && can_write && c->out_sent < c->out.len) {
        if (c->state == CONN_ANSWERING)
            conn_play(c);
        else
            conn_flush(c);
    }
    conn_settle(c);
}

void conn_due(struct timer *t)
{
    struct conn *c = (struct conn *)(void *)t;
    if (c->state == CONN_LINGERING) {
        c->is_dead = true;
    } else if (c->state == CONN_ANSWERING) {
        if (c->verdict == PLAY_WAIT)
            c->verdict = PLAY_MORE;
        conn_play(c);
    }
    conn_settle(c);
}

void conn_new(struct sim *sim, int fd)
{
    static const int on = 1;
    struct conn *c = calloc(1, sizeof(*c));
    if (c == NULL || !sock_init(&c->sock, fd, sim->tls)) {
        free(c);
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c->sim = sim;
    c->next = sim->open;
    c->previous_next = &sim->open;
    if (c->next != NULL)
        c->next->previous_next = &c->next;
    sim->open = c;
    c->number = ++sim->connections;
    c->state = sim->tls != NULL ? CONN_HANDSHAKE : CONN_READING;
    sim->tally.connections_accepted++;
    sim->tally.connections_open++;
    conn_watch(c);
    if (c->is_dead)
        conn_free(c);
}

void conn_close_all(struct sim *sim)
{
    while (sim->open != NULL) {
        struct conn *first = sim->open;
        conn_free(first);
        assert(sim->open != first); /* conn_free takes it off the list */
    }
}
