// Rules as a VM carries them in its metadata, in `ballast set` and in its row in the store: words separated by spaces.
//
//     WORD = apart:GROUP | together:GROUP | on:PLACE | off:PLACE, then :zone and :preferred or nothing
//
// VMs with the same apart (together) word form one rule. All on (off) words of a VM that are equally strict form one rule:
// it runs only (never) on those hosts, or with :zone on the hosts of those zones; a host without a zone is one of its own
// name. Without :preferred a rule is strict. GROUP and PLACE: no spaces, no colons.
#ifndef BALLAST_MODEL_RULE_TEXT_H
#define BALLAST_MODEL_RULE_TEXT_H

#include "base/error.h"
#include "model/snapshot.h"

#define RULE_TEXT_BYTES 256 // longest text, with its zero

struct rule_word {
    enum rule_type type;
    bool by_zone, strict;
    char name[RULE_TEXT_BYTES]; // group, host or zone
};

// The next word at *at, which is moved behind it. 1: there was one; 0: no more; -1: ERROR_INPUT, the word is no rule.
// text may be NULL.
int rule_word_next(const char **at, struct rule_word *ret_word, struct error *err);

// Whether all of text can be read and is short enough.
int rule_text_check(const char *text, struct error *err);

bool rule_word_equal(const struct rule_word *a, const struct rule_word *b);

#endif
