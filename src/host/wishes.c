// The attributes of our metadata element.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/metadata.h"

#define MAX_SHARES 1000000000LL
#define MAX_AMOUNT 1e12

struct host_wishes wishes_none(void)
{
    return (struct host_wishes){
        .cpu_reservation_cores = -1, .cpu_limit_cores = -1, .mem_reservation_mib = -1, .mem_limit_mib = -1};
}

static int complain(struct host_wishes *wishes, const char *name, const char *value, const char *cure)
{
    snprintf(wishes->problem, sizeof wishes->problem, "%.32s=\"%.32s\": %s", name, value, cure);
    return -1;
}

static int set_shares(struct host_wishes *wishes, void *field, const char *name, const char *value)
{
    char *end;
    errno = 0;
    long long shares = strtoll(value, &end, 10);
    if (end == value || *end || errno || shares < 1 || shares > MAX_SHARES)
        return complain(wishes, name, value, "must be a whole number from 1 to 1000000000");
    *(int64_t *)field = shares;
    return 0;
}

static int set_amount(struct host_wishes *wishes, void *field, const char *name, const char *value)
{
    char *end;
    double amount = strtod(value, &end);
    if (end == value || *end || !isfinite(amount) || amount < 0 || amount > MAX_AMOUNT)
        return complain(wishes, name, value, "must be a number of at least 0");
    *(double *)field = amount;
    return 0;
}

// A limit of nothing is a slip of the pen: no VM could run under it.
static int set_limit(struct host_wishes *wishes, void *field, const char *name, const char *value)
{
    double limit = -1;
    if (set_amount(wishes, &limit, name, value) < 0)
        return -1;
    if (limit < 0.01)
        return complain(wishes, name, value, "must be a number of at least 0.01");
    *(double *)field = limit;
    return 0;
}

static int set_mode(struct host_wishes *wishes, void *field, const char *name, const char *value)
{
    static const struct {
        const char *name;
        enum host_vm_mode mode;
    } modes[] = {{"observe", HOST_VM_MODE_OBSERVE},
                 {"recommend", HOST_VM_MODE_RECOMMEND},
                 {"auto", HOST_VM_MODE_AUTO}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, value) == 0) {
            *(enum host_vm_mode *)field = modes[i].mode;
            return 0;
        }
    }
    *(enum host_vm_mode *)field =
        HOST_VM_MODE_OBSERVE; // a mode only ever narrows: who wrote it wanted less than all
    return complain(wishes, name, value, "must be observe, recommend or auto; taken as observe");
}

static int set_exclude(struct host_wishes *wishes, void *field, const char *name, const char *value)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
            *(bool *)field = strcasecmp(value, yes[i]) == 0;
            return 0;
        }
    }
    *(bool *)field = true; // whoever wrote it wanted something kept away: rather too careful
    return complain(wishes, name, value, "must be yes or no; taken as yes");
}

static int set_owner(struct host_wishes *wishes, void *field, const char *name, const char *value)
{
    for (int owner = HOST_OWNER_NOVA; owner <= HOST_OWNER_PACEMAKER; owner++) {
        if (strcmp(host_owner_name((enum host_owner)owner), value) == 0) {
            *(enum host_owner *)field = (enum host_owner)owner;
            return 0;
        }
    }
    wishes->exclude = true; // as with exclude: somebody wanted it left to somebody else
    return complain(wishes, name, value, "is no manager known here; taken as exclude=\"yes\"");
}

// Kept whatever it says: who wrote it wanted something, so a VM whose rules cannot be read is not moved.
static int set_rules(struct host_wishes *wishes, void *field, const char *name, const char *value)
{
    snprintf(field, RULE_TEXT_BYTES, "%s", value);
    if (rule_text_check(value, NULL) < 0) {
        memcpy(field, "?", 2); // also when the part that fits can be read
        return complain(wishes, name, value, "cannot be read; the VM is not moved");
    }
    return 0;
}

static int set_needs(struct host_wishes *wishes, void *field, const char *name, const char *value)
{
    snprintf(field, RULE_TEXT_BYTES, "%s", value);
    return strlen(value) < RULE_TEXT_BYTES ? 0 : complain(wishes, name, value, "is too long");
}

#define WISH(field, set)                                                                                     \
    {                                                                                                        \
#field, offsetof(struct host_wishes, field), set                                                     \
    }
static const struct {
    const char *name;
    size_t offset;
    int (*set)(struct host_wishes *wishes, void *field, const char *name, const char *value);
} attributes[] = {
    WISH(shares, set_shares),         WISH(cpu_shares, set_shares),
    WISH(mem_shares, set_shares),     WISH(cpu_reservation_cores, set_amount),
    WISH(cpu_limit_cores, set_limit), WISH(mem_reservation_mib, set_amount),
    WISH(mem_limit_mib, set_limit),   WISH(mode, set_mode),
    WISH(owner, set_owner),           WISH(rules, set_rules),
    WISH(needs, set_needs),           WISH(exclude, set_exclude),
};

int wishes_set(struct host_wishes *wishes, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (strcmp(attributes[i].name, name) == 0)
            return attributes[i].set(wishes, (char *)wishes + attributes[i].offset, name, value);
    return complain(wishes, name, value, "there is no such attribute");
}
