/* config - one typed table of every setting: name, type, bounds, default, help. It reads the INI
 * file, and prints etc/aipass.conf.
 *
 * Loaded once before threads start, then read-only. The file is flat INI (`name = value`, # and ;
 * comments, no sections), read by libinih. Places, first that exists: --config FILE,
 * $AIPASS_CONFIG, aipass.conf beside the binary, ~/.config/aipass/aipass.conf,
 * /etc/aipass/aipass.conf; none: all defaults. */
#ifndef AIPASS_BASE_CONFIG_H
#define AIPASS_BASE_CONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The names are those of the file, but for journal_sync (segment, request) and lease_max (USD).
 * Units are last in each name: _ms, _s, _bytes, _nusd; none: a count or a text. Strings are never
 * NULL; "" = unset. */
struct config {
    /* the web server's side */
    int64_t workers_max;          /* requests served at once by a process */
    int64_t worker_idle_ms;       /* an idle worker leaves after this */
    int64_t keep_idle_ms;         /* how long a connection that the web server keeps may idle */
    int64_t drain_timeout_ms;     /* running streams may finish this long after SIGTERM */
    int64_t body_max_bytes;       /* larger request bodies: 413 */
    int64_t body_memory_bytes;    /* larger bodies lie in an unlinked file in the spool directory */
    int64_t request_memory_bytes; /* cap of one request's arena */
    int64_t client_read_ms;       /* the web server may be silent this long while it sends a body */
    int64_t client_write_ms;      /* a write to the client may block this long */
    char *path_prefix;            /* dropped from the front of each path, e.g. "/aipass" */

    /* MariaDB */
    char *db_option_file;  /* credentials in my.cnf form; "" = the client library's defaults */
    char *db_option_group; /* the group in it */
    char *db_hosts; /* "host[:port],host..." or one socket path; "" = as in the option file */
    int64_t db_connections_max;
    int64_t db_timeout_ms; /* connect, read and write, each */
    int64_t db_idle_ms;    /* an idle connection is closed after this */
    int64_t upkeep_ms;     /* a process looks for due upkeep this often; 0: never, cron does */
    int64_t catalog_ms;    /* models, prices and channels are re-read at this age */
    int64_t key_fresh_ms;  /* a cached key is used without asking up to this age */
    int64_t key_stale_ms;  /* ... and up to this one while the database is down */

    /* money */
    char *spool_dir; /* the usage journal; on a disk that survives a restart, never /tmp */
    bool journal_sync_request;    /* fdatasync before each answer ends, not once a segment */
    int64_t journal_segment_ms;   /* a segment is closed at this age */
    int64_t journal_segment_rows; /* ... or at this many rows */
    int64_t journal_keep_ms;      /* segment files stay this long after COMMIT */
    int64_t lease_max_nusd;       /* taken for one account at most, beyond its need; in USD */
    int64_t lease_wait_ms;        /* how long a request waits for money that other processes hold */
    int64_t lease_idle_ms;        /* an account's lease goes back after this much idleness */
    int64_t abandon_after_s;      /* leases of a host unseen for this long are freed */
    int64_t hold_output_max;      /* tokens of output held for a stream at first */
    int64_t hold_output_min;      /* fewer affordable tokens than this: refused */

    /* limits */
    int64_t queue_ms; /* how long a request waits for one of its limit's running ones to end */

    /* providers */
    int64_t attempts_max;
    int64_t retry_after_max_ms;    /* the only channel is waited for up to this in a request */
    int64_t breaker_failures;      /* so many failures in a row open a breaker; 0: none does */
    int64_t breaker_rate_percent;  /* ... or this share of a window's requests */
    int64_t breaker_rate_requests; /* ... when there were so many at least */
    int64_t breaker_window_ms;
    int64_t breaker_open_ms;     /* how long it is open at first */
    int64_t breaker_open_max_ms; /* ... and at most */
    int64_t key_probe_ms;        /* first pause of a refused provider key; 0: it stays enabled */
    int64_t connect_ms;
    int64_t first_byte_stream_ms;
    int64_t first_byte_whole_ms;
    int64_t between_bytes_ms;
    int64_t total_ms;
    int64_t ping_ms;          /* a silent stream's client gets a ping this often */
    int64_t gone_drain_ms;    /* an abandoned answer is drained this long (unseen reasoning) */
    int64_t answer_max_bytes; /* a whole answer's body */
    int64_t event_max_bytes;  /* one event of a stream */
    int64_t handles_idle_max; /* idle provider connections kept by a process */
    bool fetch_urls;          /* clients' URLs are fetched for providers that take bytes only */
    int64_t fetch_bytes_max;  /* of all that one request has fetched */
    int64_t fetch_ms;         /* ... the time for it */
    int64_t fetch_count_max;  /* ... and how many URLs */
    char *tls_ca_file;        /* more trusted CAs for providers; "" = the system's */

    /* the rest */
    char *log;             /* stderr, syslog, file:PATH */
    char *log_level;       /* debug, info, warn, error */
    char *secret_key_file; /* 32 random bytes in hex that seal provider keys; "" = none */

    char *path; /* where it was read; "" = nowhere */
};

/* config_load - defaults, then the first file of the list above. explicit_path: --config, or NULL.
 * Errors are told on err_out as "FILE:LINE: name: what is wrong and what is allowed", all of them,
 * then ERR_CONFIG. *out is filled only on ERR_OK; free with config_free. */
ERR_CHECK enum err config_load(const char *explicit_path, FILE *err_out, struct config **out);
void config_free(struct config *c);

/* config_print_annotated - the text of etc/aipass.conf: every setting with help, bounds and
 * default, commented out. */
void config_print_annotated(FILE *out);

#endif
