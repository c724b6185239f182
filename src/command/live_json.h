// Rows of the store as JSON: the same keys wherever a host, a VM, a migration appears.
#ifndef BALLAST_COMMAND_LIVE_JSON_H
#define BALLAST_COMMAND_LIVE_JSON_H

#include "model/json_writer.h"
#include "store/store.h"

// Each writes one object.
void live_json_host(struct json_writer *w, const struct store_host *host);
void live_json_vm(struct json_writer *w, const struct store_vm *vm);
void live_json_migration(struct json_writer *w, const struct store_migration *m);
void live_json_decision(struct json_writer *w, const struct store_decision *d);
void live_json_event(struct json_writer *w, const struct store_event *e);
void live_json_setting(struct json_writer *w, const struct store_setting *s);

#endif
