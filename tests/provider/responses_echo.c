#include "tests/provider/responses.h"

static void echo_member(struct bytes *out, const struct node *body, const char *name,
                        const char *otherwise)
{
    const struct node *value = node_get(body, name);
    bytes_puts(out, "\"");
    bytes_puts(out, name);
    bytes_puts(out, "\":");
    if (value != NULL)
        node_put(value, out);
    else
        bytes_puts(out, otherwise);
    bytes_puts(out, ",");
}

static void echo_tools(struct bytes *out, const struct node *tools)
{
    bytes_puts(out, "\"tools\":[");
    for (const struct node *t = node_first(tools); t != NULL; t = t->next) {
        if (node_is(node_get(t, "type"), "function")) {
            bytes_puts(out, "{");
            echo_member(out, t, "type", "\"function\"");
            echo_member(out, t, "name", "\"\"");
            echo_member(out, t, "description", "null");
            echo_member(out, t, "parameters", "null");
            echo_member(out, t, "strict", "true");
            out->data[out->len - 1] = '}';
        } else {
            node_put(t, out);
        }
        bytes_puts(out, t->next != NULL ? "," : "");
    }
    bytes_puts(out, "],");
}

void responses_echo(struct bytes *out, const struct node *body)
{
    echo_member(out, body, "instructions", "null");
    echo_member(out, body, "max_output_tokens", "null");
    echo_member(out, body, "metadata", "{}");
    echo_member(out, body, "parallel_tool_calls", "true");
    echo_member(out, body, "previous_response_id", "null");
    echo_member(out, body, "prompt_cache_key", "null");
    echo_member(out, body, "reasoning", "{\"effort\":null,\"summary\":null}");
    echo_member(out, body, "store", "true");
    echo_member(out, body, "temperature", "1.0");
    echo_member(out, body, "text", "{\"format\":{\"type\":\"text\"}}");
    echo_member(out, body, "tool_choice", "\"auto\"");
    echo_tools(out, node_get(body, "tools"));
    echo_member(out, body, "top_p", "1.0");
    echo_member(out, body, "truncation", "\"disabled\"");
    echo_member(out, body, "user", "null");
}
