/* messages_read - what the two files share that read an Anthropic request: messages_read.c its members,
 * messages_content.c the messages and their blocks.
 *
 * Of the request being read: one is read at a time. One thread.
 */
#ifndef TESTS_PROVIDER_MESSAGES_READ_H
#define TESTS_PROVIDER_MESSAGES_READ_H

#include "tests/provider/answer.h"
#include "tests/provider/tree.h"

enum { CALLS_MAX = 128 };

/* What is known while the messages are walked. */
struct messages_reading {
    struct ask *ask;
    struct span calls[CALLS_MAX]; /* tool_use ids of the last assistant message without a result */
    size_t call_count;
    size_t cache_marks;
    struct span said;
    struct span marker;
    bool has_thinking_config; /* thinking.type is enabled */
    bool begins_with_thinking;
    bool ends_with_assistant;
    int version; /* of the model, times ten; 0: not known */
};

/* messages_expect_only - refuse members that are not in the word list; false then. where: their
 * place, with a dot at its end. */
bool messages_expect_only(struct messages_reading *r, const struct node *n, const char *words,
                          const char *where);

/* messages_is_name - a name of letters, digits, _ and -, 1 to max bytes. */
bool messages_is_name(struct span s, size_t max);

/* messages_see_cache_mark - check and count the cache_control of a node, when it has one. */
void messages_see_cache_mark(struct messages_reading *r, const struct node *n);

/* messages_check_block - a block of content. role: see struct block_rule. where: names it. */
void messages_check_block(struct messages_reading *r, const struct node *block, char role,
                          const char *where);

/* messages_read_list - the messages. */
void messages_read_list(struct messages_reading *r, const struct node *messages);

#endif
