#include "model/rule_text.h"

#include <string.h>

#define NO_RULE                                                                                              \
    "\"%.*s\" is no rule; apart:GROUP, together:GROUP, on:HOST, off:HOST, each with :zone or :preferred, is"

// Whether the n bytes at `at` are the word.
static bool is(const char *at, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(at, word, n) == 0;
}

static int read_word(const char *at, size_t n, struct rule_word *word)
{
    static const char *const types[] = {
        [RULE_APART] = "apart", [RULE_TOGETHER] = "together", [RULE_ON] = "on", [RULE_OFF] = "off"};
    const char *end = at + n;
    size_t part = strcspn(at, ": ");
    unsigned type = 0;
    while (type < 4 && !is(at, part, types[type]))
        type++;
    if (type == 4 || at + part == end)
        return -1;
    *word = (struct rule_word){.type = (enum rule_type)type, .strict = true};
    at += part + 1;
    part = strcspn(at, ": ");
    if (part == 0 || part >= sizeof word->name)
        return -1;
    memcpy(word->name, at, part);
    for (at += part; at < end; at += part) {
        part = strcspn(++at, ": ");
        if (is(at, part, "zone"))
            word->by_zone = true;
        else if (is(at, part, "preferred"))
            word->strict = false;
        else
            return -1;
    }
    return 0;
}

int rule_word_next(const char **at, struct rule_word *ret_word, struct error *err)
{
    if (!*at || !*(*at += strspn(*at, " ")))
        return 0;
    const char *begin = *at;
    size_t n = strcspn(begin, " ");
    *at += n;
    if (read_word(begin, n, ret_word) < 0)
        return error_set(err, ERROR_INPUT, NO_RULE, (int)(n < 60 ? n : 60), begin);
    return 1;
}

int rule_text_check(const char *text, struct error *err)
{
    struct rule_word word;
    const char *at = text;
    int rc;
    if (strlen(text) >= RULE_TEXT_BYTES)
        return error_set(err, ERROR_INPUT, "longer than %d bytes", RULE_TEXT_BYTES - 1);
    while ((rc = rule_word_next(&at, &word, err)) > 0)
        ;
    return rc;
}

bool rule_word_equal(const struct rule_word *a, const struct rule_word *b)
{
    return a->type == b->type && a->by_zone == b->by_zone && a->strict == b->strict &&
           strcmp(a->name, b->name) == 0;
}
