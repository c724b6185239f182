#include "host/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : NULL;
}

// The number at text after blanks; HOST_UNKNOWN when there is none or it does not fit.
static uint64_t number_at(const char *text, const char **ret_end)
{
    while (*text == ' ' || *text == '\t')
        text++;
    uint64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return HOST_UNKNOWN;
        value = value * 10 + digit;
    }
    if (ret_end)
        *ret_end = p;
    return p == text ? HOST_UNKNOWN : value;
}

uint64_t proc_value(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line; line = next_line(line)) {
        if (strncmp(line, key, length) != 0)
            continue;
        const char *after = line + length;
        if (*after == ':')
            after++;
        if (*after == ' ' || *after == '\t')
            return number_at(after, NULL);
    }
    return HOST_UNKNOWN;
}

uint64_t proc_number(const char *text)
{
    return number_at(text, NULL);
}

uint64_t proc_deferred(const struct proc_lists *lists)
{
    if (!host_known(lists->listed) || !host_known(lists->anon) || !host_known(lists->file))
        return 0;
    uint64_t used = lists->anon + lists->file;
    return lists->listed > used ? lists->listed - used : 0;
}

uint64_t proc_sum(const char *text, const char *const *keys)
{
    uint64_t sum = 0;
    for (; *keys; keys++) {
        uint64_t value = proc_value(text, *keys);
        if (!host_known(value))
            return HOST_UNKNOWN;
        sum += value;
    }
    return sum;
}

void proc_parse_meminfo(const char *text, struct proc_meminfo *ret)
{
    static const char *const listed[] = {"Active", "Inactive", "Unevictable", NULL};
    static const char *const file[] = {"Cached", "Buffers", "SwapCached", NULL};
    struct proc_lists lists = {proc_sum(text, listed), proc_value(text, "AnonPages"), proc_sum(text, file)};
    ret->deferred_kib = proc_deferred(&lists);
    ret->total_kib = proc_value(text, "MemTotal");
    ret->free_kib = proc_value(text, "MemFree");
    ret->available_kib = proc_value(text, "MemAvailable");
    ret->swap_total_kib = proc_value(text, "SwapTotal");
    ret->swap_free_kib = proc_value(text, "SwapFree");
    // While a reclaim asks for swap that is not there the kernel's count is below 0 and shows as 2^64 less a little.
    if (host_known(ret->swap_total_kib) && ret->swap_free_kib > ret->swap_total_kib)
        ret->swap_free_kib = 0;
    if (host_known(ret->available_kib) || !host_known(ret->free_kib))
        return;
    uint64_t active = proc_value(text, "Active(file)"), inactive = proc_value(text, "Inactive(file)");
    ret->available_kib =
        ret->free_kib + (host_known(active) ? active : 0) + (host_known(inactive) ? inactive : 0);
}

void proc_parse_stat(const char *text, struct proc_cpu *ret)
{
    *ret = (struct proc_cpu){HOST_UNKNOWN, HOST_UNKNOWN};
    if (strncmp(text, "cpu ", 4) != 0)
        return;
    uint64_t field[8] = {0}; // user nice system idle iowait irq softirq steal
    const char *p = text + 4;
    for (int i = 0; i < 8; i++) {
        field[i] = number_at(p, &p);
        if (!host_known(field[i]))
            return;
    }
    ret->busy_ticks = field[0] + field[1] + field[2] + field[5] + field[6];
    ret->steal_ticks = field[7];
}

void proc_parse_status(const char *text, struct host_resident *ret)
{
    ret->anon_kib = proc_value(text, "RssAnon");
    ret->file_kib = proc_value(text, "RssFile");
    ret->shmem_kib = proc_value(text, "RssShmem");
    ret->swap_kib = proc_value(text, "VmSwap");
    ret->page_tables_kib = proc_value(text, "VmPTE");
    ret->known = host_known(ret->anon_kib) && host_known(ret->shmem_kib) && host_known(ret->swap_kib);
    if (!ret->known) // a zombie has no memory and no such lines
        *ret = (struct host_resident){false,        HOST_UNKNOWN, HOST_UNKNOWN,
                                      HOST_UNKNOWN, HOST_UNKNOWN, HOST_UNKNOWN};
}

void proc_parse_task(const char *text, struct proc_task *ret)
{
    *ret = (struct proc_task){0, HOST_UNKNOWN};
    const char *p = strrchr(text, ')'); // the name is in brackets and may hold brackets itself
    if (!p || p[1] != ' ' || !p[2])
        return;
    ret->state = p[2];
    p += 3;
    // field 3 was the state; utime and stime are fields 14 and 15
    for (int field = 4; field <= 13; field++) {
        while (*p == ' ')
            p++;
        while (*p && *p != ' ')
            p++;
    }
    uint64_t user = number_at(p, &p);
    if (!host_known(user))
        return;
    uint64_t system = number_at(p, &p);
    if (host_known(system))
        ret->cpu_ticks = user + system;
}

void proc_parse_schedstat(const char *text, struct host_vcpu *ret)
{
    *ret = (struct host_vcpu){HOST_UNKNOWN, HOST_UNKNOWN};
    const char *p = text;
    uint64_t run = number_at(p, &p);
    if (!host_known(run))
        return;
    uint64_t delay = number_at(p, &p);
    if (!host_known(delay))
        return;
    *ret = (struct host_vcpu){run, delay};
}

// "some avg10=1.23 avg60=... total=456"
static void parse_psi_line(const char *line, double *ret_avg10_pct, uint64_t *ret_total_us)
{
    const char *end = strchr(line, '\n');
    const char *avg10 = strstr(line, "avg10=");
    const char *total = strstr(line, "total=");
    if (!avg10 || !total || (end && (avg10 > end || total > end)))
        return;
    double pct = strtod(avg10 + 6, NULL);
    uint64_t us = number_at(total + 6, NULL);
    if (!(pct >= 0 && pct <= 100) || !host_known(us))
        return;
    *ret_avg10_pct = pct;
    *ret_total_us = us;
}

void proc_parse_psi(const char *text, struct host_psi *ret)
{
    *ret = (struct host_psi){0};
    for (const char *line = text; line; line = next_line(line)) {
        if (strncmp(line, "some ", 5) == 0) {
            ret->some_total_us = HOST_UNKNOWN;
            parse_psi_line(line, &ret->some_avg10_pct, &ret->some_total_us);
            ret->known = host_known(ret->some_total_us);
        } else if (strncmp(line, "full ", 5) == 0) {
            parse_psi_line(line, &ret->full_avg10_pct, &ret->full_total_us);
        }
    }
    if (!ret->known)
        *ret = (struct host_psi){0};
}

uint32_t proc_count_list(const char *text)
{
    uint64_t count = 0;
    const char *p = text;
    while (*p >= '0' && *p <= '9') {
        uint64_t from = number_at(p, &p), to = from;
        if (*p == '-')
            to = number_at(p + 1, &p);
        if (!host_known(from) || !host_known(to) || to < from || to > 1000000)
            return 0;
        count += to - from + 1;
        if (*p != ',')
            break;
        p++;
    }
    return count > 1000000 ? 0 : (uint32_t)count;
}

int proc_vcpu_of_comm(const char *comm)
{
    if (strncmp(comm, "CPU ", 4) != 0)
        return -1;
    const char *end = comm;
    uint64_t number = number_at(comm + 4, &end);
    return host_known(number) && number < 100000 && *end == '/' ? (int)number : -1;
}

// Whether the comma separated list of length characters names controller.
static bool list_has(const char *list, size_t length, const char *controller)
{
    size_t want = strlen(controller);
    for (size_t i = 0; i + want <= length; i++) {
        bool starts = i == 0 || list[i - 1] == ',';
        bool ends = i + want == length || list[i + want] == ',';
        if (starts && ends && strncmp(list + i, controller, want) == 0)
            return true;
    }
    return false;
}

int proc_parse_cgroup(const char *text, const char *controller, char *path, size_t size)
{
    for (const char *line = text; line && *line; line = next_line(line)) {
        const char *list = strchr(line, ':');
        const char *group = list ? strchr(list + 1, ':') : NULL;
        if (!group)
            continue;
        size_t list_length = (size_t)(group - list - 1);
        bool fits = controller ? list_has(list + 1, list_length, controller)
                               : list_length == 0 && strncmp(line, "0:", 2) == 0;
        if (!fits)
            continue;
        size_t length = strcspn(group + 1, "\n");
        if (length >= size)
            return -1;
        memcpy(path, group + 1, length);
        path[length] = '\0';
        return 0;
    }
    return -1;
}

// The character that an octal escape ("\040") stands for; -1 when text does not begin with one.
static int octal_escape(const char *text, size_t length)
{
    if (length < 4 || text[0] != '\\')
        return -1;
    unsigned value = 0;
    for (int i = 1; i <= 3; i++) {
        if (text[i] < '0' || text[i] > '7')
            return -1;
        value = value * 8 + (unsigned)(text[i] - '0');
    }
    return (int)(value & 0xff);
}

// Compares path with an escaped mount point; the length of the match or -1.
static long mount_match(const char *point, size_t length, const char *path)
{
    size_t at = 0;
    for (size_t i = 0; i < length; at++) {
        int escape = octal_escape(point + i, length - i);
        char c = escape >= 0 ? (char)escape : point[i];
        i += escape >= 0 ? 4 : 1;
        if (path[at] != c || !c)
            return -1;
    }
    bool root = at == 1 && path[0] == '/';
    return root || path[at] == '/' || path[at] == '\0' ? (long)at : -1;
}

int proc_mount_type(const char *mountinfo, const char *path, char *type, size_t size)
{
    long best = -1;
    for (const char *line = mountinfo; line && *line; line = next_line(line)) {
        const char *p = line; // id parent major:minor root POINT options ... - TYPE source
        for (int field = 0; field < 4 && p; field++) {
            p = strchr(p, ' ');
            p = p ? p + 1 : NULL;
        }
        const char *dash = p ? strstr(p, " - ") : NULL;
        const char *end = strchr(line, '\n');
        if (!dash || (end && dash > end))
            continue;
        long match = mount_match(p, strcspn(p, " "), path);
        size_t length = strcspn(dash + 3, " \n");
        if (match < best || match < 0 || length >= size)
            continue;
        best = match;
        memcpy(type, dash + 3, length);
        type[length] = '\0';
    }
    return best < 0 ? -1 : 0;
}

bool proc_type_is_shared(const char *type)
{
    static const char *const shared[] = {"nfs",       "nfs4",   "ceph",         "glusterfs", "fuse.glusterfs",
                                         "fuse.ceph", "gfs2",   "gfs",          "ocfs2",     "cifs",
                                         "smb3",      "lustre", "afs",          "gpfs",      "beegfs",
                                         "pvfs2",     "vxfs",   "fuse.quobyte", "quobyte",   "fuse.sshfs"};
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
        if (strcmp(type, shared[i]) == 0)
            return true;
    return false;
}
