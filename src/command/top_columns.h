// The columns of the live screen.
#ifndef BALLAST_COMMAND_TOP_COLUMNS_H
#define BALLAST_COMMAND_TOP_COLUMNS_H

#include "command/top_list.h"

// Lists of struct store_host and struct store_vm, sorted by name.
struct top_list top_hosts(void);
struct top_list top_vms(void);

#endif
