#include "ctl/ctl_help.h"

#include "ctl/ctl_output.h"

#include <stdlib.h>
#include <string.h>

#define WORD_MAX 32
#define NEAR_MAX 2 /* letters that may differ */

/* ---- help ---- */

static bool is_first_of_noun(const struct ctl_command *c)
{
    return c == ctl_commands || strcmp(c[-1].noun, c->noun) != 0;
}

static void name_of(const struct ctl_command *c, char *dst, size_t size)
{
    (void)snprintf(dst, size, "%s%s%s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
                   c->words[0] ? " " : "", c->words);
}

static void print_option(const struct ctl_option *o)
{
    char left[64];
    (void)snprintf(left, sizeof(left), "%s%s%s%s", o->name[1] ? "--" : "-", o->name,
                   o->value ? " " : "", o->value ? o->value : "");
    printf("  %-24s %s\n", left, o->help);
}

void ctl_help_all(void)
{
    char left[96];
    puts("aipassctl - administers AIPass Hub\n\nUsage: aipassctl NOUN VERB [WORDS] [OPTIONS]\n");
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        if (is_first_of_noun(c) && c != ctl_commands)
            putchar('\n');
        name_of(c, left, sizeof(left));
        printf("  %-40s %s\n", left, c->help);
    }
    puts("\nOptions of every command:");
    for (const struct ctl_option *o = ctl_common_options; o->name; o++)
        print_option(o);
    puts("\naipassctl NOUN VERB --help tells a command's own options.\n"
         "It ends with 0 (done), 1 (failed) or 2 (called wrongly); doctor: 0 (well), 1 (warnings), "
         "2 (errors).");
}

void ctl_help_command(const struct ctl_command *c)
{
    char name[96];
    name_of(c, name, sizeof(name));
    printf("aipassctl %s - %s\n", name, c->help);
    if (c->options && c->options->name)
        puts("\nOptions:");
    for (const struct ctl_option *o = c->options; o && o->name; o++)
        print_option(o);
    puts("\nOptions of every command:");
    for (const struct ctl_option *o = ctl_common_options; o->name; o++)
        print_option(o);
}

bool ctl_help_noun(const char *noun)
{
    char left[96];
    bool is_known = false;
    for (const struct ctl_command *c = ctl_commands; noun && c->noun; c++) {
        if (strcmp(c->noun, noun) != 0)
            continue;
        is_known = true;
        name_of(c, left, sizeof(left));
        printf("  aipassctl %-40s %s\n", left, c->help);
    }
    return is_known;
}

/* ---- did you mean ---- */

/* Levenshtein's distance of two short words. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], b_n = strlen(b);
    if (b_n > WORD_MAX || strlen(a) > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= b_n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_n; j++) {
            size_t above = row[j], cost = diagonal + (a[i - 1] != b[j - 1]);
            size_t step = (above < row[j - 1] ? above : row[j - 1]) + 1;
            row[j] = cost < step ? cost : step;
            diagonal = above;
        }
    }
    return row[b_n];
}

const char *ctl_help_nearest(const char *noun, const char *word)
{
    const char *best = NULL;
    size_t best_distance = NEAR_MAX + 1;
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        const char *candidate = noun ? c->verb : c->noun;
        if (!candidate || (noun && strcmp(noun, c->noun) != 0))
            continue;
        size_t d = distance(word, candidate);
        if (d < best_distance) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}

/* ---- completion ---- */

static void print_nouns(void)
{
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        if (is_first_of_noun(c))
            printf("%s%s", c == ctl_commands ? "" : " ", c->noun);
    }
}

static void print_verbs(const char *noun)
{
    bool is_first = true;
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        if (!c->verb || strcmp(c->noun, noun) != 0)
            continue;
        printf("%s%s", is_first ? "" : " ", c->verb);
        is_first = false;
    }
}

static void print_options(const struct ctl_command *c)
{
    for (const struct ctl_option *o = c->options; o && o->name; o++)
        printf("%s%s ", o->name[1] ? "--" : "-", o->name);
    for (const struct ctl_option *o = ctl_common_options; o->name; o++)
        printf("--%s%s", o->name, o[1].name ? " " : "");
}

static void complete_bash(void)
{
    puts("# bash completion for aipassctl. Made by: aipassctl completion bash\n"
         "_aipassctl() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=''\n"
         "    if [[ $prev == --config ]]; then\n"
         "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
         "        return\n"
         "    fi\n"
         "    if ((COMP_CWORD == 1)); then");
    fputs("        words='", stdout);
    print_nouns();
    puts("'\n    else\n        case ${COMP_WORDS[1]} in");
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        if (!is_first_of_noun(c) || !c->verb)
            continue;
        printf("        %s) words='", c->noun);
        print_verbs(c->noun);
        puts("' ;;");
    }
    puts("        esac\n        ((COMP_CWORD == 2)) || words=''\n"
         "        case ${COMP_WORDS[1]}\\ ${COMP_WORDS[2]} in");
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        printf("        %s\\ %s) [[ $cur != -* ]] || words='", c->noun, c->verb ? c->verb : "*");
        print_options(c);
        puts("' ;;");
    }
    puts("        esac\n    fi\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
         "    [[ -n $words ]] || mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
         "}\ncomplete -F _aipassctl aipassctl");
}

/* For single quotes of zsh and fish. */
static void print_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
    }
}

static void complete_zsh(void)
{
    puts("#compdef aipassctl\n# Made by: aipassctl completion zsh\n_aipassctl() {\n"
         "    local noun=${words[2]} verb=${words[3]}\n"
         "    case $CURRENT in");
    fputs("    2) compadd -- ", stdout);
    print_nouns();
    puts(" ; return ;;\n    3) case $noun in");
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        if (!is_first_of_noun(c) || !c->verb)
            continue;
        printf("       %s) compadd -- ", c->noun);
        print_verbs(c->noun);
        puts(" ; return ;;");
    }
    puts("       esac ;;\n    esac\n    case \"$noun $verb\" in");
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        printf("    '%s %s'*) compadd -- ", c->noun, c->verb ? c->verb : "");
        print_options(c);
        puts(" ; _files ;;");
    }
    puts("    esac\n}\n_aipassctl \"$@\"");
}

static void complete_fish(void)
{
    puts("# fish completion for aipassctl. Made by: aipassctl completion fish\n"
         "complete -c aipassctl -f");
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        if (is_first_of_noun(c))
            printf("complete -c aipassctl -n __fish_use_subcommand -a %s\n", c->noun);
        if (c->verb) {
            printf("complete -c aipassctl -n '__fish_seen_subcommand_from %s; and test (count "
                   "(commandline -opc)) -eq 2' -a %s -d '",
                   c->noun, c->verb);
            print_quoted(c->help);
            puts("'");
        }
        for (const struct ctl_option *o = c->options; o && o->name; o++) {
            printf("complete -c aipassctl -n '__fish_seen_subcommand_from %s", c->noun);
            if (c->verb)
                printf("; and __fish_seen_subcommand_from %s", c->verb);
            printf("' -%c %s%s -d '", o->name[1] ? 'l' : 's', o->name, o->value ? " -x" : "");
            print_quoted(o->help);
            puts("'");
        }
    }
    for (const struct ctl_option *o = ctl_common_options; o->name; o++) {
        printf("complete -c aipassctl -l %s%s -d '", o->name, o->value ? " -r -F" : "");
        print_quoted(o->help);
        puts("'");
    }
}

enum ctl_exit ctl_completion(const struct ctl_args *args)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {
        {"bash", complete_bash},
        {"zsh",  complete_zsh },
        {"fish", complete_fish}
    };
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (!strcmp(args->words[0], shells[i].name)) {
            shells[i].print();
            return CTL_OK;
        }
    }
    (void)ctl_fail("completion: expected bash, zsh or fish, got %s", args->words[0]);
    return CTL_USAGE;
}

/* ---- the commands of aipassctl(1), in Markdown ---- */

/* What Markdown would take for its own. */
static void print_escaped(const char *text)
{
    for (; *text; text++) {
        if (strchr("*_`<>[]\\|#", *text))
            putchar('\\');
        putchar(*text);
    }
}

static void print_manual_option(const struct ctl_option *o)
{
    printf("> **%s%s**", o->name[1] ? "\\-\\-" : "-", o->name);
    if (o->value)
        printf(" *%s*", o->value);
    fputs(": ", stdout);
    print_escaped(o->help);
    puts("\n>");
}

enum ctl_exit ctl_manual(const struct ctl_args *args)
{
    (void)args;
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        printf("**aipassctl %s%s%s**", c->noun, c->verb ? " " : "", c->verb ? c->verb : "");
        if (c->words[0]) {
            putchar(' ');
            print_escaped(c->words);
        }
        fputs("\n\n> ", stdout);
        print_escaped(c->help);
        puts("\n>");
        for (const struct ctl_option *o = c->options; o && o->name; o++)
            print_manual_option(o);
        puts("");
    }
    return CTL_OK;
}
