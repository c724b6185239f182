#include "agent/options.h"

#include <getopt.h>
#include <stddef.h>

const char ballastd_usage[] =
    "Usage: ballastd [--config FILE]\n"
    "Keeps the virtual machines of this host supplied with the CPU and memory that they ask for.\n"
    "\n"
    "  -c, --config FILE       settings (default " BALLASTD_DEFAULT_CONFIG ", which need not exist)\n"
    "      --check-config      read the settings, name every problem, and end\n"
    "      --help-settings     every setting with its range, default and meaning\n"
    "      --default-config    a commented settings file with every default\n"
    "      --manual-settings   the settings in the language of ballast.conf(5)\n"
    "  -h, --help              this text\n"
    "      --version\n"
    "\n"
    "SIGHUP reads the settings again; when they are wrong the old ones stay in force.\n"
    "SIGTERM and SIGINT end it: running migrations go on, their claims are picked up at the next start.\n";

int ballastd_options_parse(int argc, char **argv, struct ballastd_options *ret_options, struct error *err)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'},   {"check-config", no_argument, NULL, 'C'},
        {"help", no_argument, NULL, 'h'},           {"help-settings", no_argument, NULL, 'H'},
        {"default-config", no_argument, NULL, 'D'}, {"manual-settings", no_argument, NULL, 'M'},
        {"version", no_argument, NULL, 'V'},        {NULL, 0, NULL, 0},
    };
    struct ballastd_options o = {.action = BALLASTD_RUN, .config = BALLASTD_DEFAULT_CONFIG};
    opterr = 0;
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "+:c:h", known, NULL)) != -1;) {
        switch (c) {
        case 'c':
            o.config = optarg;
            o.config_given = 1;
            break;
        case 'C':
            o.action = BALLASTD_CHECK_CONFIG;
            break;
        case 'h':
            o.action = BALLASTD_HELP;
            break;
        case 'H':
            o.action = BALLASTD_HELP_SETTINGS;
            break;
        case 'D':
            o.action = BALLASTD_DEFAULT_CONFIG_FILE;
            break;
        case 'M':
            o.action = BALLASTD_MANUAL_SETTINGS;
            break;
        case 'V':
            o.action = BALLASTD_VERSION;
            break;
        case ':':
            return error_set(err, ERROR_INPUT, "%s needs a value; see ballastd --help", argv[optind - 1]);
        default:
            return error_set(err, ERROR_INPUT, "unknown option %s; see ballastd --help", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return error_set(err, ERROR_INPUT, "\"%s\": no arguments are taken; see ballastd --help",
                         argv[optind]);
    *ret_options = o;
    return 0;
}
