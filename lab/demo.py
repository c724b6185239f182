#!/usr/bin/python3
"""A cluster of real libvirt hosts on this machine, short of memory and CPU, and what ballast does about it.

make demo: every act with ballast observing, then acting; exit status 1 when an expected effect did not come.
KEEP=1 leaves hosts, guests and agents running. NO_COLOR=1: plain text. --act d (or cd): only these acts.
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
    sys.exit(f"demo: {e}: run ./demo, which installs what is missing")

TAG = "demo"


def score(voice, sampler, chosen):
    voice.title("e  The score with ballast off and on")
    voice.say("VM-seconds lost per second, as `ballast vms` reports it; one column a second, 0 when all are served")
    voice.say("off: ballast observes. In b and c that is before the demand grows, which would kill guests on an unmanaged "
              "host; in d it is the same demand")
    utf8 = "utf" in (sys.stdout.encoding or "").lower()
    for act, what in (("b", "divided by shares"), ("c", "memory, migration"), ("d", "CPU, migration")):
        if act not in chosen:
            continue
        rows = {mode: sampler.of(act, mode) for mode in ("observe", "auto")}
        highest = max([v for r in rows.values() for v in r], default=0) or 1
        for mode, name in (("observe", "off"), ("auto", "on")):
            r = rows[mode]
            mean = sum(r) / len(r) if r else 0
            print(f"         {act} {what:18} {name:3} |{plot(r, highest, utf8):60.60}| mean {mean:.2f}, "
                  f"last 3 s {sum(r[-3:]) / max(1, len(r[-3:])):.2f}")
        if act == "d":
            off, on = rows["observe"][-3:], rows["auto"][-3:]
            off, on = (sum(r) / len(r) if r else None for r in (off, on))
            voice.expect(off is not None and on is not None and on < off / 2, "CPU story: lost at the end with ballast "
                         f"off {off or 0:.2f}, on {on or 0:.2f} VM-seconds per second")


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
        score(voice, sampler, chosen)
    return fleet


def close(lab, voice, fleet, keep):
    print()
    for text in voice.failed:
        print(f"did not come: {text}")
    if voice.failed and os.getloadavg()[0] > 2 * os.cpu_count():
        print(f"The machine itself is busy: load {os.getloadavg()[0]:.0f} on {os.cpu_count()} CPUs. Hosts then get less "
              "CPU than the lab gives them; try again when it is calm.")
    print(f"{'All expected effects came' if not voice.failed else f'{len(voice.failed)} expected effects did not come'}"
          f", in {voice.seconds():.0f} s.")
    if not keep:
        print("Run next:  make demo KEEP=1   leaves the cluster running, for ballast top and lab/lab")
        print("           man ballast; docs/operating.md for hosts of your own")
        return
    lab.state["owner"] = None  # the watchdog leaves a lab without an owner alone
    lab.save_state()
    print("The cluster keeps running, in auto. Look at it and play with it:\n"
          f"  build/ballast top --store {fleet.store}\n"
          f"  build/ballast explain c1 --store {fleet.store}\n"
          f"  lab/lab --tag {TAG} status\n"
          f"  lab/lab --tag {TAG} start h1 g9 128 --zram 64; lab/lab --tag {TAG} guest g9 cpu 50\n"
          f"End it:\n  lab/lab --tag {TAG} down")


def interrupted(signum, _):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--act", default="abcde", metavar="LETTERS", help="acts to play (default: abcde)")
    chosen = parser.parse_args().act
    if not chosen or set(chosen) - set("abcde"):
        parser.error(f"--act {chosen}: letters a to e are known")
    keep = os.environ.get("KEEP", "") not in ("", "0")
    if os.geteuid() != 0:
        sys.exit("demo: it needs root: namespaces, control groups, bridges. Nothing outside of them is touched")
    if not BALLASTD.exists():
        sys.exit(f"demo: {BALLASTD} is not built: make")
    signal.signal(signal.SIGTERM, interrupted)
    voice = Voice()
    print("ballast on three libvirt hosts with real guests. The first run also makes a guest's template.")
    lab = Lab(hosts=3, mem_mib=2048, tag=TAG if keep else None)
    kept, status = False, 1
    try:
        lab.up()
        fleet = tell(lab, voice, chosen)
        close(lab, voice, fleet, keep)
        kept, status = keep, 1 if voice.failed else 0
    except KeyboardInterrupt:
        print("\ninterrupted; taking the lab down", file=sys.stderr)
        status = 130
    except (LabError, libvirtError, OSError) as e:
        print(f"demo: {e}", file=sys.stderr)
    finally:
        if not kept:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            lab.down()
    return status


if __name__ == "__main__":
    sys.exit(main())
