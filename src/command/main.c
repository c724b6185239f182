// ballast and ballast-full: the command. Finds the verb, parses its options by its table, runs it, reports its error.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command/manual.h"
#include "command/verbs.h"

static void print_usage(FILE *out)
{
    fprintf(out,
            "Usage: ballast VERB [OPTIONS] [ARGUMENTS]\n\n"
            "Keeps the virtual machines of a KVM cluster supplied with the CPU and memory they ask for.\n\n"
            "Verbs:\n");
    for (size_t i = 0; i < n_verbs; i++)
        fprintf(out, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
    fprintf(out, "\n`ballast VERB --help` tells the options of one. Manual: ballast(1).\n");
}

static void print_verb_help(const struct verb *verb)
{
    printf("Usage: ballast %s%s%s%s\n\n%s\n", verb->name, verb->n_options ? " [OPTIONS]" : "",
           *verb->words ? " " : "", verb->words, verb->summary);
    if (verb->n_options) {
        printf("\nOptions:\n");
        options_print(verb->options, verb->n_options, stdout);
    }
    if (verb->more) {
        putchar('\n');
        options_print_wrapped(stdout, 0, verb->more);
    }
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < n_verbs; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], word) == 0)
            return true;
    return false;
}

static bool asks_for_help(int argc, char **argv)
{
    return has_word(argc, argv, "--help") || has_word(argc, argv, "-h");
}

static int usage_error(const struct verb *verb, const struct error *err)
{
    fprintf(stderr, "ballast %s: %s\ntry: ballast %s --help\n", verb->name, err->text, verb->name);
    return EXIT_USAGE;
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    if (asks_for_help(argc, argv)) {
        print_verb_help(verb);
        return EXIT_DONE;
    }
    struct error err = {0};
    void *values = calloc(1, verb->values_size ? verb->values_size : 1);
    char **words;
    int n_words, status;
    if (!values)
        abort();
    if (options_parse(verb->options, verb->n_options, argc, argv, values, &words, &n_words, &err) < 0) {
        status = usage_error(verb, &err);
    } else if (n_words < verb->least_words || n_words > verb->most_words) {
        error_set(&err, ERROR_INPUT,
                  n_words > verb->most_words ? "\"%s\" is too much; it takes %s" : "%s%s is missing",
                  n_words > verb->most_words ? words[verb->most_words] : "",
                  *verb->words ? verb->words : "no argument");
        status = usage_error(verb, &err);
    } else {
        status = verb->run(values, words, &err);
        if (status < 0)
            status = err.kind == ERROR_INPUT ? EXIT_USAGE : EXIT_FAILED;
        text_make_safe(err.text, '\n'); // it may quote names from a file
        if (err.kind != ERROR_NONE)
            fprintf(stderr, "ballast %s: %s\n", verb->name, err.text);
    }
    free(values);
    if (fflush(stdout) != 0 && status == EXIT_DONE) {
        perror("ballast: write the output");
        status = EXIT_FAILED;
    }
    return status;
}

int main(int argc, char **argv)
{
    const struct verb *verb = argc < 2 ? NULL : find_verb(argv[1]);
    if (!verb || asks_for_help(argc, argv) || has_word(argc, argv, "--live"))
        verbs_hand_over(argv);
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("ballast %s\n", BALLAST_VERSION);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--print-manual") == 0) { // for the build, which makes ballast(1) from it
        manual_print(stdout);
        return EXIT_DONE;
    }
    if (!verb) {
        fprintf(stderr, "ballast: unknown verb \"%s\"\ntry: ballast --help\n", argv[1]);
        return EXIT_USAGE;
    }
    return run_verb(verb, argc - 1, argv + 1);
}
