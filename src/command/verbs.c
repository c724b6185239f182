#include "command/verbs.h"

const struct verb *const verbs[] = {
    &verb_status, &verb_top,  &verb_hosts,   &verb_vms,      &verb_explain,
    &verb_events, &verb_set,  &verb_approve, &verb_pause,    &verb_resume,
    &verb_score,  &verb_plan, &verb_place,   &verb_simulate, &verb_generate,
};

const size_t n_verbs = sizeof verbs / sizeof *verbs;

void verbs_hand_over(char **argv)
{
    (void)argv;
}
