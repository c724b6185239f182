// Telling systemd how the service is doing. Without systemd (or without libsystemd) every call does nothing.
#ifndef BALLAST_AGENT_NOTIFY_H
#define BALLAST_AGENT_NOTIFY_H

#include <stdint.h>

void notify_ready(void);     // start-up, or a reload, is complete
void notify_reloading(void); // SIGHUP is being worked on
void notify_stopping(void);

// One line for `systemctl status`.
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

// How often notify_alive must be called, in milliseconds: half of what the unit file's WatchdogSec asks
// for. 0 when nobody watches.
int64_t notify_watchdog_period_ms(void);
void notify_alive(void);

#endif
