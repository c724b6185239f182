// ballastd must not become a victim of the pressure that it manages: its pages stay in memory, the kernel
// kills it last, and its heap is there before memory is short.
#ifndef BALLAST_AGENT_PROTECT_H
#define BALLAST_AGENT_PROTECT_H

#include <stddef.h>

// Heap that is touched at start and never given back: one round of 500 guests with their statistics needs
// less than 1 MiB, libvirt's reply to the bulk call some 4 KiB a guest.
#define PROTECT_HEAP_RESERVE_BYTES (2u << 20)

// Before any thread is started. Nothing here is fatal: what the machine does not allow is logged once, as
// a notice with the cure.
void protect_self(void);

// Once, when all has been started: gives back the program text that was needed for that alone (libvirt brings
// some 40 libraries, whose initialization touches 10 MiB), then locks again.
void protect_settle(void);

// Resident memory of this process in KiB; 0 when unknown. For the agent's own figures.
long protect_resident_kib(void);

#endif
