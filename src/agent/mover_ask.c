// What became of a migration whose end nobody saw. libvirt on both hosts is asked; the answers decide:
//
//     here            there           then
//     outgoing        any             it is still under way: ask again
//     any             incoming        likewise
//     running/paused  absent          it did not happen
//     running/paused  no answer       as above, after MOVER_ASK_TRIES questions: without a job on the source
//                                     nothing can arrive any more
//     absent          running/paused  it is done
//     absent          absent          the VM has ended on the way; nothing is under way
//     absent          no answer       not known: ask again, the reservation stays
//     running         running         not possible with one disk lock and one UUID a host; ask again and say so
//     no answer       any             libvirt here is being sought: ask again
#include <stdio.h>
#include <string.h>

#include "agent/mover_slot.h"
#include "base/log.h"

static bool is_here(enum host_presence_state state)
{
    return state == HOST_PRESENCE_RUNNING || state == HOST_PRESENCE_PAUSED;
}

static void conclude(struct move *m)
{
    if (m->asked_here || m->asked_there || m->phase != MOVE_ASKING || m->mover->stopped)
        return;
    m->ask_at = mono_after_ms(m->mover->now, MOVER_ASK_MS);
    m->unanswered = m->there_known ? 0 : m->unanswered + 1;
    if (!m->here_known || m->here.state == HOST_PRESENCE_OUTGOING)
        return;
    if (m->there_known &&
        (m->there.state == HOST_PRESENCE_INCOMING || m->there.state == HOST_PRESENCE_OUTGOING))
        return;
    enum store_migration_state not_done =
        m->never_started ? STORE_MIGRATION_CANCELLED : STORE_MIGRATION_FAILED;
    if (is_here(m->here.state)) {
        if (!m->there_known && m->unanswered < MOVER_ASK_TRIES)
            return;
        if (m->there_known && is_here(m->there.state)) {
            log_error(
                "VM %s is reported by this host and by %s; nothing is done until one of them lets go of it",
                m->vm_name, m->to);
            return;
        }
        move_finish(m, not_done, NULL, "%s; the VM still runs here%s", m->why_unknown,
                    m->there_known ? "" : ", and the destination does not answer");
        return;
    }
    if (!m->there_known)
        return;
    if (is_here(m->there.state))
        move_finish(m, STORE_MIGRATION_DONE, NULL, "%s; the VM runs on %s", m->why_unknown, m->to);
    else
        move_finish(m, STORE_MIGRATION_FAILED, NULL, "%s; the VM runs on neither host", m->why_unknown);
}

static void heard_here(void *user, const struct host_presence *presence, const struct error *error)
{
    struct move *m = user;
    m->asked_here = false;
    m->here_known = presence && error->kind == ERROR_NONE;
    if (m->here_known)
        m->here = *presence;
    conclude(m);
}

static void heard_there(void *user, const struct host_presence *presence, const struct error *error)
{
    struct move *m = user;
    m->asked_there = false;
    m->there_known = presence && error->kind == ERROR_NONE;
    if (m->there_known)
        m->there = *presence;
    conclude(m);
}

void move_ask(struct move *m, const char *why, struct mono now)
{
    m->phase = MOVE_ASKING;
    m->ask_at = now;
    m->unanswered = 0;
    snprintf(m->why_unknown, sizeof m->why_unknown, "%s", why);
    log_warning("migration %llu of %s to %s: %s; asking libvirt on both hosts", (unsigned long long)m->id,
                m->vm_name, m->to, why);
}

void move_ask_tick(struct move *m, struct mono now)
{
    if (m->asked_here || m->asked_there || now.ms < m->ask_at.ms)
        return;
    struct host *host = m->mover->host;
    m->asked_here = m->asked_there = true;
    host->ops->presence(host, NULL, &m->uuid, heard_here, m);
    host->ops->presence(host, m->destination_uri, &m->uuid, heard_there, m);
}
