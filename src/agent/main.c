// ballastd: parse, check prerequisites, build, start, loop.
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/options.h"
#include "agent/protect.h"
#include "agent/service.h"
#include "agent/settings.h"
#include "base/log.h"

static void print_problem(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

// Reads the settings. A default file that is not there is no error. Returns 0, or the exit status.
static int read_settings(const struct ballastd_options *options, struct settings *ret_settings)
{
    struct error err = {0};
    if (settings_read(options->config, ret_settings, print_problem, NULL, &err) == 0)
        return 0;
    if (err.kind == ERROR_MISSING && !options->config_given) {
        settings_defaults(ret_settings);
        return 0;
    }
    if (err.kind != ERROR_INPUT || !strchr(err.text, ':'))
        fprintf(stderr, "ballastd: %s\n", err.text);
    return err.kind == ERROR_INPUT || err.kind == ERROR_MISSING ? 2 : 1;
}

static int check_host_name(const struct settings *settings, char *ret_name, size_t size)
{
    if (*settings->host_name) {
        snprintf(ret_name, size, "%s", settings->host_name);
        return 0;
    }
    if (gethostname(ret_name, size) == 0 && *ret_name) {
        ret_name[size - 1] = '\0';
        return 0;
    }
    log_error("the machine has no host name: set one, or host_name in section [agent] of the settings");
    return -1;
}

static int check_meminfo(void)
{
    if (access("/proc/meminfo", R_OK) == 0)
        return 0;
    log_error("/proc/meminfo cannot be read (%s): is /proc mounted?", strerror(errno));
    return -1;
}

static int check_store_directory(const struct settings *settings)
{
    const char *path = strncmp(settings->store, "sqlite:", 7) == 0 ? settings->store + 7 : settings->store;
    char copy[SETTINGS_TEXT_SIZE];
    snprintf(copy, sizeof copy, "%s", path);
    const char *directory = dirname(copy);
    // Only said: memory is managed without a store too, and it may come up later.
    if (access(directory, W_OK | X_OK) < 0)
        log_warning(
            "directory %s of the store cannot be written (%s): create it, or set store in section [agent]",
            directory, strerror(errno));
    return 0;
}

static int run(const struct ballastd_options *options, struct settings *settings)
{
    char host_name[256];
    log_set_level((enum log_level)(settings->log_level + LOG_LEVEL_ERROR));
    if (check_host_name(settings, host_name, sizeof host_name) < 0 || check_meminfo() < 0 ||
        check_store_directory(settings) < 0)
        return 1;
    char threads[16];
    snprintf(threads, sizeof threads, "%d", HOST_POOL_THREADS);
    setenv("UV_THREADPOOL_SIZE", threads, 1);
    protect_self();
    return service_run(options->config, options->config_given, settings, host_name, &host_libvirt);
}

int main(int argc, char **argv)
{
    struct ballastd_options options;
    struct error err = {0};
    if (ballastd_options_parse(argc, argv, &options, &err) < 0) {
        fprintf(stderr, "ballastd: %s\n", err.text);
        return 2;
    }
    struct settings settings;
    int status;
    switch (options.action) {
    case BALLASTD_HELP:
        fputs(ballastd_usage, stdout);
        return 0;
    case BALLASTD_VERSION:
        puts("ballastd " BALLAST_VERSION);
        return 0;
    case BALLASTD_HELP_SETTINGS:
        settings_write_help(stdout);
        return 0;
    case BALLASTD_DEFAULT_CONFIG_FILE:
        settings_write_default_file(stdout);
        return 0;
    case BALLASTD_MANUAL_SETTINGS:
        settings_write_manual(stdout);
        return 0;
    case BALLASTD_CHECK_CONFIG:
        status = read_settings(&options, &settings);
        if (status == 0)
            printf("%s: no problem found\n", options.config);
        return status;
    case BALLASTD_RUN:
        break;
    }
    status = read_settings(&options, &settings);
    return status == 0 ? run(&options, &settings) : status;
}
