// Reading single files of a control group; shared by cgroup.c and cgroup_vm.c.
#ifndef BALLAST_HOST_CGROUP_FILE_H
#define BALLAST_HOST_CGROUP_FILE_H

#include "host/cgroup.h"

// Reads group/file of a controller's tree (v1) or of the one tree (v2, controller ""); the length or -1.
long cgroup_file_read(const struct cgroup_tree *tree, const char *controller, const char *group,
                      const char *file, char *text, size_t size);

// HOST_UNKNOWN when it is not there or holds "max" or "-1".
uint64_t cgroup_file_number(const struct cgroup_tree *tree, const char *controller, const char *group,
                            const char *file);

// The group's own CPU quota in cores; 0: none.
double cgroup_file_quota(const struct cgroup_tree *tree, const char *group);

// The group's own memory limit; HOST_UNKNOWN: none.
uint64_t cgroup_file_memory_limit(const struct cgroup_tree *tree, const char *group);

#endif
