// What the loops decided and what happened, on its way to the store: a ring of fixed size, so that noting
// something never allocates. While the store is away the oldest notes fall out, decisions first said again
// later anyway.
#ifndef BALLAST_AGENT_JOURNAL_H
#define BALLAST_AGENT_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timepoint.h"
#include "host/facts.h"
#include "store/store.h"

#define JOURNAL_NOTES 128
#define JOURNAL_TEXT_SIZE 384
#define JOURNAL_DETAIL_SIZE 1024

// The same verdict about the same VM is passed on again after this time at the earliest, to renew its row.
#define JOURNAL_REPEAT_MS 10000

struct note {
    bool is_event;
    enum store_loop loop;                // decision
    bool acted;                          // decision
    enum store_severity severity;        // event
    char kind[32];                       // verdict or kind
    char uuid_text[HOST_UUID_TEXT_SIZE]; // "" for the host
    char vm_name[128];
    char text[JOURNAL_TEXT_SIZE];
    char detail[JOURNAL_DETAIL_SIZE];
};

struct journal {
    struct note *note; // JOURNAL_NOTES
    size_t first, n;
    struct journal_said {
        uint64_t key;  // of loop and VM; 0: free
        uint64_t said; // of verdict and acted
        struct mono at;
    } * said;
};

#define JOURNAL_SAID 2048

// -1 when out of memory.
int journal_init(struct journal *journal);
void journal_clear(struct journal *journal);

// A decision, also one to do nothing. uuid_text and vm_name NULL: about the host. detail may be NULL.
// Repetitions are dropped (see above). Returns whether it was noted, that is, whether it is news.
bool journal_decision(struct journal *journal, struct mono now, enum store_loop loop, const char *uuid_text,
                      const char *vm_name, const char *verdict, bool acted, const char *detail,
                      const char *format, ...) __attribute__((format(printf, 9, 10)));

void journal_event(struct journal *journal, enum store_severity severity, const char *kind,
                   const char *uuid_text, const char *vm_name, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

// Moves up to most of the oldest notes to ret_notes. Returns how many.
size_t journal_take(struct journal *journal, struct note *ret_notes, size_t most);

#endif
