#include "agent/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/guests.h"

int journal_init(struct journal *j)
{
    memset(j, 0, sizeof *j);
    j->note = calloc(JOURNAL_NOTES, sizeof *j->note);
    j->said = calloc(JOURNAL_SAID, sizeof *j->said);
    if (j->note && j->said)
        return 0;
    journal_clear(j);
    return -1;
}

void journal_clear(struct journal *j)
{
    free(j->note);
    free(j->said);
    memset(j, 0, sizeof *j);
}

static struct note *push(struct journal *j)
{
    if (j->n == JOURNAL_NOTES) {
        j->first = (j->first + 1) % JOURNAL_NOTES;
        j->n--;
    }
    struct note *note = &j->note[(j->first + j->n++) % JOURNAL_NOTES];
    memset(note, 0, sizeof *note);
    return note;
}

// Whether this repeats what was said of the VM by that loop less than JOURNAL_REPEAT_MS ago. An entry that
// another key needs is taken over: the worst is a note too many.
static bool repeats(struct journal *j, struct mono now, enum store_loop loop, const char *uuid_text,
                    const char *verdict, bool acted)
{
    uint64_t key = (guests_hash(uuid_text, strlen(uuid_text)) ^ (uint64_t)(loop + 1)) | 1;
    uint64_t said = guests_hash(verdict, strlen(verdict)) ^ (acted ? 1u : 0u);
    struct journal_said *entry = &j->said[key / 2 % JOURNAL_SAID];
    if (entry->key == key && entry->said == said && now.ms - entry->at.ms < JOURNAL_REPEAT_MS)
        return true;
    *entry = (struct journal_said){key, said, now};
    return false;
}

bool journal_decision(struct journal *j, struct mono now, enum store_loop loop, const char *uuid_text,
                      const char *vm_name, const char *verdict, bool acted, const char *detail,
                      const char *format, ...)
{
    if (repeats(j, now, loop, uuid_text ? uuid_text : "", verdict, acted))
        return false;
    struct note *note = push(j);
    note->loop = loop;
    note->acted = acted;
    snprintf(note->kind, sizeof note->kind, "%s", verdict);
    snprintf(note->uuid_text, sizeof note->uuid_text, "%s", uuid_text ? uuid_text : "");
    snprintf(note->vm_name, sizeof note->vm_name, "%s", vm_name ? vm_name : "");
    snprintf(note->detail, sizeof note->detail, "%s", detail ? detail : "");
    va_list args;
    va_start(args, format);
    vsnprintf(note->text, sizeof note->text, format, args);
    va_end(args);
    return true;
}

void journal_event(struct journal *j, enum store_severity severity, const char *kind, const char *uuid_text,
                   const char *vm_name, const char *format, ...)
{
    struct note *note = push(j);
    note->is_event = true;
    note->severity = severity;
    snprintf(note->kind, sizeof note->kind, "%s", kind);
    snprintf(note->uuid_text, sizeof note->uuid_text, "%s", uuid_text ? uuid_text : "");
    snprintf(note->vm_name, sizeof note->vm_name, "%s", vm_name ? vm_name : "");
    va_list args;
    va_start(args, format);
    vsnprintf(note->text, sizeof note->text, format, args);
    va_end(args);
}

size_t journal_take(struct journal *j, struct note *ret_notes, size_t most)
{
    size_t n = j->n < most ? j->n : most;
    for (size_t i = 0; i < n; i++) {
        ret_notes[i] = j->note[j->first];
        j->first = (j->first + 1) % JOURNAL_NOTES;
    }
    j->n -= n;
    return n;
}
