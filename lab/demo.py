#!/usr/bin/python3
"""A cluster of real libvirt hosts on this machine, short of memory and CPU, and what ballast does about it.

./demo or make demo: each act first without what it is about, then with it. Exit status 0: every expected effect
came; 1: one did not; 2: the machine itself was too busy to judge one, or the demo could not begin or broke off;
130: interrupted. KEEP=1 (./demo KEEP=1) leaves hosts, guests and agents running. NO_COLOR=1: plain text. --act d
(or cd): only these acts.
"""
import argparse
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
try:
    from ballast_lab import Lab, LabError
    from ballast_lab.story import BALLASTD, Fleet, Sampler, Voice, plot
    from ballast_lab.story_acts import Acts
    from libvirt import libvirtError
except ImportError as e:
    print(f"demo: {e}: run ./demo, which installs what is missing", file=sys.stderr)
    sys.exit(2)

TAG = "demo"


def score(voice, acts, chosen):
    voice.title("e  The score without ballast's means and with them")
    voice.say("VM-seconds lost per second, as `ballast vms` reports it; one column a second, 0 when all are served. "
              "Rows of one act have the same demand")
    utf8 = "utf" in (sys.stdout.encoding or "").lower()
    for act, name, rows in (("b", "memory, divided by shares", ("balloons",)),
                            ("c", "memory", ("balloons alone", "with migration")),
                            ("d", "CPU", ("observing", "with migration"))):
        if act not in chosen:
            continue
        lost = [acts.sampler.of(act, row) for row in rows]
        highest = max([v for r in lost for v in r], default=0) or 1
        last = [sum(r[-3:]) / len(r[-3:]) if r else None for r in lost]
        for row, r, end in zip(rows, lost, last):
            print(f"         {act} {row:14} |{plot(r, highest, utf8):40.40}| mean {sum(r) / max(1, len(r)):.2f}, "
                  f"last 3 s {end or 0:.2f}")
        if len(rows) == 2:
            off, on = last
            voice.expect(off is not None and on is not None and on < off / 2, f"{name}: lost at the end {rows[0]} "
                         f"{off or 0:.2f}, {rows[1]} {on or 0:.2f} VM-seconds per second: less than half",
                         acts.too_busy.get(act))


def tell(lab, voice, chosen):
    fleet = Fleet(lab)
    fleet.start()
    voice.say(f"three hosts are up, ballastd runs on each ({lab.accel == 'kvm' and 'KVM' or 'emulated CPUs'})")
    sampler = Sampler(fleet)
    sampler.start()
    try:
        acts = Acts(lab, fleet, voice, sampler)
        for name, act in (("a", acts.idle_memory_moves), ("b", acts.more_wanted_than_there_is),
                          ("c", acts.what_ballooning_cannot_meet), ("d", acts.cpu_contention)):
            try:
                if name in chosen:
                    act()
            except (LabError, libvirtError) as e:
                voice.expect(False, f"the act broke off: {e}")
    finally:
        sampler.stop()
    if "e" in chosen:
        score(voice, acts, chosen)
    return fleet


def close(lab, voice, fleet, keep):
    print()
    for text in voice.failed:
        print(f"did not come: {text}")
    for text in voice.unjudged:
        print(f"not judged, for the machine itself was too busy: {text}")
    told = [f"{len(texts)} expected effect{'s' * (len(texts) > 1)} {what}" for texts, what in
            ((voice.failed, "did not come"), (voice.unjudged, "could not be judged")) if texts]
    print(f"{', '.join(told) or 'All expected effects came'}, in {voice.seconds():.0f} s.")
    if not keep:
        print("Run next:  ./demo KEEP=1      leaves the cluster running, for ballast top and lab/lab")
        print("           man ballast; docs/operating.md for hosts of your own")
        return
    lab.state["owner"] = None  # the watchdog leaves a lab without an owner alone
    lab.save_state()
    fleet.set_mode("auto")  # an act that was the last may have left another
    explain = "".join(f"  build/ballast explain {g.name} --store {fleet.store}\n" for g in lab.guests()[:1])
    print("The cluster keeps running, in auto. Look at it and play with it:\n"
          f"  build/ballast top --store {fleet.store}\n"
          f"{explain}"
          f"  lab/lab --tag {TAG} status\n"
          f"  lab/lab --tag {TAG} start h3 g9 128 --zram 64; lab/lab --tag {TAG} guest g9 cpu 50\n"
          f"End it:\n  lab/lab --tag {TAG} down")


SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def interrupted(signum, _):
    deaf()
    raise KeyboardInterrupt


def deaf():
    """Nothing stops a teardown half way; should SIGKILL, the lab's watchdog does the rest."""
    for sig in SIGNALS:
        signal.signal(sig, signal.SIG_IGN)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--act", default="abcde", metavar="LETTERS", help="acts to play (default: abcde)")
    parser.add_argument("keep", nargs="?", metavar="KEEP=1", help="as in the environment: leave the cluster running")
    given = parser.parse_args()
    if given.keep and not given.keep.startswith("KEEP="):
        parser.error(f"{given.keep}: what is this? KEEP=1 is known")
    chosen, keep = given.act, (given.keep or os.environ.get("KEEP", "")).removeprefix("KEEP=") not in ("", "0")
    if not chosen or set(chosen) - set("abcde"):
        parser.error(f"--act {chosen}: letters a to e are known")
    if "e" in chosen and not set(chosen) & set("cd"):
        parser.error(f"--act {chosen}: act e judges what acts c and d measured; add one of them")
    if os.geteuid() != 0:
        parser.exit(2, "demo: it needs root: namespaces, control groups, bridges. Nothing outside of them is touched\n")
    if not BALLASTD.exists():
        parser.exit(2, f"demo: {BALLASTD} is not built: make\n")
    for sig in SIGNALS:
        signal.signal(sig, interrupted)
    voice = Voice()
    print("ballast on three libvirt hosts with real guests. The first run also makes a guest's template.")
    lab = Lab(hosts=3, mem_mib=2048, tag=TAG if keep else None)
    kept, status = False, 2
    try:
        lab.up()
        fleet = tell(lab, voice, chosen)
        close(lab, voice, fleet, keep)
        kept, status = keep, 1 if voice.failed else 2 if voice.unjudged else 0
    except KeyboardInterrupt:
        print("\ninterrupted; taking the lab down", file=sys.stderr)
        status = 130
    except (LabError, libvirtError, OSError) as e:
        print(f"demo: {e}", file=sys.stderr)
    finally:
        if not kept:
            deaf()
            lab.down()
    return status


if __name__ == "__main__":
    sys.exit(main())
