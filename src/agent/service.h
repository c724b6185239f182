// The process around the driver: signals, reload, watchdog, orderly end.
#ifndef BALLAST_AGENT_SERVICE_H
#define BALLAST_AGENT_SERVICE_H

#include "agent/settings.h"
#include "host/host.h"

// Runs until SIGTERM or SIGINT. config: the path read again on SIGHUP; must_exist: whether a missing one is
// an error. Returns the exit status.
int service_run(const char *config, bool must_exist, struct settings *settings, const char *host_name,
                const struct host_ops *host_ops);

#endif
