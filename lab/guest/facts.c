/* What the guest sees of itself, in one line; and its compressed swap. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

/* Files of /proc are read into one buffer of the stack: no allocation when memory is short. */
static const char *file_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t n;
    while (fd >= 0 && used + 1 < size && (n = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    if (fd >= 0)
        close(fd);
    text[used] = '\0';
    return text;
}

/* The number after the first line that starts with key. */
static long long number_after(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        if (*line == '\n')
            line++;
        if (strncmp(line, key, length) == 0 && strchr(" :", line[length]) != NULL)
            return atoll(line + length + 1);
    }
    return -1;
}

void facts_line(char *line, size_t size)
{
    char text[8192];
    int used = 0;
#define FACT(name, format, value)                                                                            \
    used += snprintf(line + used, used < (int)size ? size - (size_t)used : 0, "%s" name "=" format,          \
                     used > 0 ? " " : "", value)
    FACT("uptime_s", "%.3f", (double)now_us() * 1e-6);
    FACT("held_mib", "%lld", (long long)loads->held_mib);
    FACT("want_mib", "%lld", (long long)loads->want_mib);
    FACT("dirty_mib_s", "%lld", (long long)loads->dirty_mib_s);
    FACT("dirtied_mib", "%llu", (unsigned long long)loads->dirtied_mib);
    FACT("worst_us", "%llu", (unsigned long long)loads->worst_us);
    FACT("work_pct", "%lld", (long long)loads->work_pct);
    FACT("work_ops", "%llu", (unsigned long long)loads->work_ops);
    FACT("read_mib", "%lld", (long long)loads->read_mib);
    FACT("read_pages", "%llu", (unsigned long long)loads->read_pages);
    FACT("read_major_faults", "%llu", (unsigned long long)loads->read_major_faults);
    FACT("burn_pct", "%lld", (long long)loads->burn_pct[0]);
    loads->worst_us = 0;

    file_text("/proc/meminfo", text, sizeof text);
    FACT("total_kib", "%lld", number_after(text, "MemTotal"));
    FACT("free_kib", "%lld", number_after(text, "MemFree"));
    FACT("available_kib", "%lld", number_after(text, "MemAvailable"));
    FACT("cached_kib", "%lld", number_after(text, "Cached") + number_after(text, "Buffers"));
    FACT("swap_total_kib", "%lld", number_after(text, "SwapTotal"));
    FACT("swap_free_kib", "%lld", number_after(text, "SwapFree"));

    file_text("/proc/vmstat", text, sizeof text);
    FACT("swap_in_kib", "%lld", number_after(text, "pswpin") * 4);
    FACT("swap_out_kib", "%lld", number_after(text, "pswpout") * 4);
    FACT("major_faults", "%lld", number_after(text, "pgmajfault"));
    FACT("refaults", "%lld", number_after(text, "workingset_refault_file"));
    FACT("oom_kills", "%lld", number_after(text, "oom_kill"));
    FACT("balloon_kib", "%lld",
         (number_after(text, "balloon_inflate") - number_after(text, "balloon_deflate")) * 4);

    /* /proc/stat counts in hundredths of a second */
    unsigned long long user = 0, nice = 0, sys = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
    file_text("/proc/stat", text, sizeof text);
    sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys, &idle, &iowait, &irq,
           &softirq, &steal);
    FACT("user_ms", "%llu", (user + nice) * 10);
    FACT("system_ms", "%llu", (sys + irq + softirq) * 10);
    FACT("idle_ms", "%llu", (idle + iowait) * 10);
    FACT("steal_ms", "%llu", steal * 10);
#undef FACT
}

/* Write the header that mkswap writes (version, last page, the signature at the end of the first page), swap on. */
static const char *swap_on(const char *device, unsigned long pages)
{
    static unsigned char header[4096];
    uint32_t version = 1, last_page = (uint32_t)(pages - 1);
    memcpy(header + 1024, &version, 4);
    memcpy(header + 1028, &last_page, 4);
    memcpy(header + 4096 - 10, "SWAPSPACE2", 10);
    int fd = open(device, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, header, sizeof header);
    if (fd < 0 || close(fd) != 0 || n != (ssize_t)sizeof header)
        return "cannot write to the device";
    return swapon(device, 0) == 0 ? NULL : "swapon fails";
}

const char *swap_set(unsigned long swap_mib)
{
    char text[32];

    if (access("/sys/block/zram0", F_OK) != 0)
        return "no zram device";
    if (swapoff("/dev/zram0") != 0 && errno != EINVAL)
        return "the present swap is in use and does not fit into memory";
    if (write_text("/sys/block/zram0/reset", "1") != 0)
        return "cannot reset zram0";
    if (swap_mib == 0)
        return NULL;
    snprintf(text, sizeof text, "%luM", swap_mib);
    if (write_text("/sys/block/zram0/disksize", text) != 0)
        return "cannot size zram0";

    return swap_on("/dev/zram0", swap_mib * 256);
}

const char *swap_to_disk(void)
{
    /* the one for "read" comes first where there is one, and cannot be written */
    const char *device = access("/dev/vdb", F_OK) == 0 ? "/dev/vdb" : "/dev/vda";
    int fd = open(device, O_RDWR | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (fd >= 0)
        close(fd);
    return size < 8192 ? "this guest has no disk to swap to" : swap_on(device, (unsigned long)size / 4096);
}
