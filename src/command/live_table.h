// Rows of the store as tables for people, used by several verbs.
#ifndef BALLAST_COMMAND_LIVE_TABLE_H
#define BALLAST_COMMAND_LIVE_TABLE_H

#include "store/store.h"

// Migrations with ID, state, VM, way, times and reason.
void live_table_migrations(const struct store_migration *migrations, size_t n);

// Decisions with age, verdict and reason; details indented below when asked for, only lines that mention word
// (NULL: all).
void live_list_decisions(const struct store_decision *decisions, size_t n, bool details, const char *word);

void live_table_events(const struct store_event *events, size_t n);

#endif
