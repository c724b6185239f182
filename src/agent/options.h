// The command line of ballastd.
#ifndef BALLAST_AGENT_OPTIONS_H
#define BALLAST_AGENT_OPTIONS_H

#include "base/error.h"

#define BALLASTD_DEFAULT_CONFIG "/etc/ballast/ballast.conf"

enum ballastd_action {
    BALLASTD_RUN,
    BALLASTD_CHECK_CONFIG,
    BALLASTD_HELP,
    BALLASTD_HELP_SETTINGS,
    BALLASTD_DEFAULT_CONFIG_FILE, // print one
    BALLASTD_MANUAL_SETTINGS,     // print the settings for ballast.conf(5)
    BALLASTD_VERSION,
};

struct ballastd_options {
    enum ballastd_action action;
    const char *config; // path; the default one need not exist
    int config_given;
};

// ERROR_INPUT: wrong usage. argv may be permuted.
int ballastd_options_parse(int argc, char **argv, struct ballastd_options *ret_options, struct error *err);

extern const char ballastd_usage[];

#endif
