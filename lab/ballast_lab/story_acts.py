"""The acts of the demo: each first without what it is about, then with it. Every figure is measured."""
import contextlib
import time

from libvirt import libvirtError

from .paths import LabError
from .story import Starvation, facts, wait

FULL_MIB = 256          # of a guest of the memory acts
TIGHT_MIB = 880         # the host of act a: what the three guests may take together is more
TIGHTER_MIB = 820       # the same host in act c
WANTED_MIB = 190        # what each guest of act c asks for; with its kernel it needs some 50 more
DIVIDED_MIB = 465       # the host of act b: neither guest's part covers its need
ASKED_MIB = 180, 110    # what b1 and b2 ask for; with their kernels they need some 68 more each
WITHIN = 0.08           # of the ratio of two balloons: each rests within a few MiB of its part (dead band, rounding)
RESERVED_MIB = 160      # for b2, which needs more
BUSY_PCT = 30           # of a CPU, what each guest of act d wants
HOST_PCT = 40           # of a CPU, what a host of act d has
ROOMY_PCT = 100         # of a CPU, what the host of a memory act has: CPU is not to be short there too
OTHER_PCT = 40          # and the two others: together less than two CPUs
MOVED_PCT = 60          # the others in act c: one of them gets a guest that works, and the third stays idle
REWRITTEN_MIB_S = 4     # by each guest of act b: memory that is used cannot be swapped away for good
WORK_PCT = 3            # of its time, what each guest of act c works on its memory


class Acts:
    def __init__(self, lab, fleet, voice, sampler):
        self.lab, self.fleet, self.voice, self.sampler = lab, fleet, voice, sampler
        self.guests = []
        self.too_busy = {}  # act: why its misses say nothing of ballast

    def start(self, host, names, mib, zram_mib, **options):
        return [host.start_guest(n, mib=mib, zram_mib=zram_mib, **options) for n in names]

    def mode(self, mode, chapter, row=None, still=()):
        """row: under which name the score's samples are kept from now on."""
        self.fleet.set_mode(mode, still)
        self.sampler.chapter = (chapter, row)

    def vms(self):
        return self.fleet.json("vms").get("vms", [])

    def satisfied(self):
        return ", ".join(f"{vm['name']} s_cpu {vm['s_cpu']:.2f} s_mem {vm['s_mem']:.2f}" for vm in self.vms())

    def would(self, pattern, mark, seconds, text, starved=None):
        line = wait(lambda: self.fleet.said(pattern, mark), seconds)
        if self.voice.expect(line, f"observe: {text}", starved and starved.text()):
            self.voice.quote(line)
        return line

    def figures(self, guests, text=""):
        """One line of the operator's figures: currentmem, what the guest holds, swapped out, where."""
        parts = []
        for g in guests:
            f = facts(g)
            if f:
                parts.append(f"{g.name}@{g.locate().name} currentmem {g.balloon_mib()} holds {f['held_mib']} of "
                             f"{f['want_mib']}, swapped {f['swap_out_kib'] >> 10}")
            else:
                parts.append(f"{g.name} does not answer")
        self.voice.say(text + " | ".join(parts) + "  (MiB)")

    def host_line(self, host):
        m = host.memory()
        return f"{host.name}: {m['usage_kib'] >> 10} of {m['limit_kib'] >> 10} MiB in use"

    def kills(self):
        inside = [f["oom_kills"] for f in map(facts, self.guests) if f]
        return sum(inside) + sum(h.memory()["oom_kills"] for h in self.lab.hosts)

    def where(self, guests):
        return [g.locate().name for g in guests]

    def holds(self, guest, mib):
        f = facts(guest)
        return bool(f) and f["held_mib"] >= mib

    def three_guests(self, h1):
        """g1, which held memory and freed it, g2, which holds none, and g3, which holds 140 MiB."""
        self.guests = g1, g2, g3 = self.start(h1, ["g1", "g2", "g3"], FULL_MIB, 128, free_page_reporting=False)
        g1.hold(150)
        g1.ask("mem 0")
        g3.hold(140)
        return g1, g2, g3

    def roomy(self, host, others_pct=OTHER_PCT):
        """CPU enough on this host for guests that all work on their memory. After start(), which sets limits anew."""
        for h in self.lab.hosts:
            h.limit_cpu(others_pct)
        host.limit_cpu(ROOMY_PCT)

    def needs(self, guests, wanted_mib):
        """MiB that the host would have to have if each guest held that: by what ballast measures of each now."""
        rows = {vm["name"]: vm for vm in self.vms()}
        total = 16  # mem_reserved_mib
        for g, wanted in zip(guests, wanted_mib):
            row, f = rows.get(g.name), facts(g)
            if not row or not f:
                return 0
            total += row["mem_used_mib"] - f["held_mib"] + wanted + row["mem_overhead_mib"]
        return total

    # -- the acts

    def idle_memory_moves(self):
        v, h1 = self.voice, self.lab.hosts[0]
        v.title("a  Idle memory moves from one guest to another")
        g1, g2, g3 = self.three_guests(h1)
        self.roomy(h1)
        h1.limit_memory(TIGHT_MIB)
        v.say(f"three guests of {FULL_MIB} MiB on {self.host_line(h1)}. g1 held 150 MiB and freed them: h1 still "
              "pays for them.")
        mark = self.fleet.mark()
        self.mode("observe", "a")
        g2.ask("mem 90")
        wait(lambda: self.holds(g2, 90), 30)
        v.say(f"g2 asks for 90 MiB more, which just fits: {self.host_line(h1)}")
        self.would(r"VM g1: would set currentmem: 256 MiB -> \d+ MiB: the host (is short and the guest does not use it|"
                   r"could not back what it may grow to)", mark, 25, "ballast says what it would do, and")
        v.expect([g.balloon_mib() for g in self.guests] == [FULL_MIB] * 3, "currentmem of none was touched")
        asked = time.monotonic()
        lowest = [g1.balloon_mib()]
        mark = self.fleet.mark()
        self.mode("auto", "a")

        def taken():
            lowest.append(g1.balloon_mib())
            return min(lowest) <= FULL_MIB - 48
        wait(taken, 30)
        v.expect(min(lowest) <= FULL_MIB - 48, f"auto: g1's currentmem {FULL_MIB} -> {min(lowest)} MiB within "
                 f"{time.monotonic() - asked:.1f} s; {self.host_line(h1)}")
        line = self.fleet.said(r"VM g1: 256 MiB -> ", mark)
        if line:
            v.quote(line)
        asked = time.monotonic()
        g2.ask("mem 150")
        v.expect(wait(lambda: self.holds(g2, 150), 60), f"g2 asked for 150 MiB and holds them after "
                 f"{time.monotonic() - asked:.1f} s")
        self.figures(self.guests)
        swapped = [(facts(g) or {}).get("swap_out_kib", 0) >> 10 for g in self.guests]
        v.expect(swapped == [0, 0, 0] and self.where(self.guests) == ["h1"] * 3 and self.kills() == 0,
                 f"swapped out {sum(swapped)} MiB, guests on {', '.join(sorted(set(self.where(self.guests))))}, "
                 f"{self.kills()} out-of-memory kills")

    def more_wanted_than_there_is(self):
        v, h2 = self.voice, self.lab.hosts[1]
        v.title("b  All want more than there is: shares 2:1, then a reservation")
        before = self.guests
        self.mode("observe", "b", still=self.lab.hosts)
        both = self.start(h2, ["b1", "b2"], FULL_MIB, 0, swap_disk_mib=192, free_page_reporting=False)
        self.guests = before + both
        try:
            self.roomy(h2)
            self.divide(h2, *both)
        finally:
            self.end(both)
            self.guests = before
            h2.limit_memory(2048)

    def end(self, guests):
        self.sampler.chapter = None
        for g in guests:
            with contextlib.suppress(LabError, libvirtError):
                g.destroy()

    def divide(self, h2, b1, b2):
        v, both = self.voice, (b1, b2)
        self.terms(h2, "b1", 'shares="2000"')
        self.terms(h2, "b2", 'shares="1000"')
        for g in both:
            g.hold(30)
        mark = self.fleet.mark()
        h2.limit_memory(DIVIDED_MIB)
        v.say("b1 has 2000 shares, b2 1000. Migration is switched off in this act, so that they must divide it")
        self.would(r"VM b[12]: would set currentmem: 256 MiB -> \d+ MiB: ", mark, 25,
                   "ballast says what it would do, and")
        v.expect([g.balloon_mib() for g in both] == [FULL_MIB] * 2,
                 f"currentmem of none was touched; {self.host_line(h2)}")
        self.mode("auto", "b", "balloons", still=self.lab.hosts)
        fenced = wait(lambda: sum(g.balloon_mib() for g in both) < DIVIDED_MIB - 80, 20)
        v.expect(fenced, f"auto: currentmem {b1.balloon_mib()} and {b2.balloon_mib()} MiB: neither can grow beyond "
                 "what h2 has")
        needed = self.needs(both, ASKED_MIB)
        for g, mib in zip(both, ASKED_MIB):
            g.ask(f"dirty {REWRITTEN_MIB_S}")
            g.ask(f"mem {mib}")
        v.expect(needed > DIVIDED_MIB, f"b1 asks for {ASKED_MIB[0]} MiB, b2 for {ASKED_MIB[1]}, both keep rewriting "
                 f"them. With kernels and QEMU's own memory they need {needed:.0f} MiB, h2 has {DIVIDED_MIB}")

        def two_to_one():
            one, two = self.has_mib(both)
            return two and abs(one / two / 2 - 1) <= WITHIN and all(map(self.holds, both, ASKED_MIB))
        came = wait(two_to_one, 60) and not time.sleep(5) and two_to_one()  # and it stays so
        self.divided(both)
        one, two = self.has_mib(both)
        v.expect(came, f"auto, counted in the guests: b1 has {one} MiB, b2 {two}, {one / max(1, two):.2f} to 1 (2 to 1 "
                 f"within {100 * WITHIN:.0f} %). Both hold what they asked for, what is lacking in their own swap")
        v.say(f"now with a reservation of {RESERVED_MIB} MiB for b2")
        self.terms(h2, "b2", f'shares="1000" mem_reservation_mib="{RESERVED_MIB}"')

        def reserved():
            return self.has_mib(both)[1] >= RESERVED_MIB * (1 - WITHIN / 2)
        came = wait(reserved, 45) and not time.sleep(5) and reserved()
        self.divided(both)
        one, two = self.has_mib(both)
        v.expect(came, f"a reservation comes before shares: b2 has {two} MiB, and b1 the rest, {one}")
        self.figures(both)
        v.expect(self.kills() == 0, f"{self.kills()} out-of-memory kills")

    def divided(self, guests):
        """Say what is divided: a guest's own memory. What QEMU needs beside it and what the host keeps are not."""
        rows = [vm for vm in self.vms() if vm["name"] in [g.name for g in guests]]
        own = " + ".join(f"{vm['mem_overhead_mib']:.0f}" for vm in rows)
        parts = ", ".join(f"{vm['name']} {vm['mem_entitlement_mib']:.0f}" for vm in rows)
        self.voice.say(f"ballast divides what h2's {DIVIDED_MIB} MiB leave to guests, without a reserve and what QEMU "
                       f"needs itself ({own}): by shares, nobody below its reservation or above its need. The parts: "
                       f"{parts} MiB")

    def has_mib(self, guests):
        """What their balloons leave them, as the guests' own kernels count it; 0 where one does not answer."""
        return [FULL_MIB - (f["balloon_kib"] >> 10) if f else 0 for f in map(facts, guests)]

    def terms(self, host, name, attributes):
        host.run(["virsh", "metadata", name, "--uri", "urn:ballast:1", "--key", "ballast", "--live", "--set",
                  f"<vm {attributes}/>"])

    def what_ballooning_cannot_meet(self):
        v, h1 = self.voice, self.lab.hosts[0]
        v.title("c  A demand that ballooning cannot meet: live migration")
        self.mode("auto", "c", "before", still=self.lab.hosts)
        if not self.guests:
            self.three_guests(h1)[1].hold(70)  # more does not fit beside what g1 has freed
        self.roomy(h1, MOVED_PCT)
        h1.limit_memory(TIGHTER_MIB)
        v.say(f"first with balloons alone, migration is switched off: {self.host_line(h1)}; h2 and h3 have room")
        self.guests[0].ask("mem 60")
        wait(lambda: self.holds(self.guests[0], 60), 30)
        for g in self.guests:
            g.ask(f"work {WORK_PCT}")  # memory that is used cannot be swapped away for good
        needed = self.needs(self.guests, [WANTED_MIB] * 3)
        for g in self.guests:
            g.ask(f"mem {WANTED_MIB}")
        v.expect(needed > TIGHTER_MIB, f"each asks for {WANTED_MIB} MiB. With kernels and QEMU's own memory they need "
                 f"{needed:.0f} MiB, h1 has {TIGHTER_MIB}, however it is divided")
        self.sampler.chapter = ("c", "balloons alone")
        time.sleep(12)
        self.figures(self.guests)
        lacking = [vm["name"] for vm in self.vms() if vm["s_mem"] < 0.97]
        v.expect(lacking and self.where(self.guests) == ["h1"] * 3, f"balloons alone: memory is lacking to "
                 f"{', '.join(lacking) or 'nobody'}: {self.satisfied()}")
        mark, asked = self.fleet.mark(), time.monotonic()
        self.mode("auto", "c", "with migration")
        moved = wait(lambda: self.where(self.guests) != ["h1"] * 3, 60)
        names = [f"{g.name} to {g.host.name}" for g in self.guests if g.host.name != "h1"]
        v.expect(moved, f"auto: moved live: {', '.join(names) or 'nobody'}, {time.monotonic() - asked:.0f} s after "
                 "migration was switched on")
        line = self.fleet.said(r"VM g\d: moved to h[23]|VM g\d: move .* to h[23]", mark)
        if line:
            v.quote(line)
        v.expect(wait(lambda: all(self.holds(g, WANTED_MIB) for g in self.guests), 40),
                 f"all hold what they want ({WANTED_MIB} MiB each)")

        time.sleep(8)  # so that every row is younger than the move

        def served():
            rows = self.vms()
            return len(rows) == 3 and min(vm["s_mem"] for vm in rows) >= 0.97 and min(vm["s_cpu"] for vm in rows) >= 0.9
        v.expect(wait(served, 30), f"and all are served, as `ballast vms` reports it: {self.satisfied()}")
        time.sleep(4)  # for the score's last columns
        self.figures(self.guests)
        v.expect(len({*self.where(self.guests)}) == 2, f"guests on {', '.join(self.where(self.guests))}: one moved")
        v.expect(self.kills() == 0, f"{self.kills()} out-of-memory kills")
        self.end(self.guests)
        self.guests = []
        h1.limit_memory(2048)

    def cpu_contention(self):
        v, h1 = self.voice, self.lab.hosts[0]
        v.title("d  CPU: two busy guests on one host, other hosts idle")
        self.end(self.guests)  # of act a, where act c was not asked for
        h1.limit_memory(2048)
        self.guests = both = self.start(h1, ["c1", "c2"], 128, 64)
        for h in self.lab.hosts:
            h.limit_cpu(HOST_PCT)
        self.mode("auto", "d")
        time.sleep(3)
        for g in both:
            g.ask(f"cpu {BUSY_PCT}")
        time.sleep(5)
        for g in both:
            g.ask("cpu 0")
        time.sleep(10)
        v.expect(self.where(both) == ["h1"] * 2, f"auto: a spike of 5 s ({BUSY_PCT} % of a CPU each, h1 has "
                 f"{HOST_PCT}) moved nothing")
        mark = self.fleet.mark()
        self.mode("observe", "d", "observing")
        for g in both:
            g.ask(f"cpu {BUSY_PCT}")
        time.sleep(4)
        starved = Starvation([h1], HOST_PCT)
        got = self.cpu_pct(both)
        v.say(f"now they stay busy: each wants {BUSY_PCT} %, they get {got[0]:.0f} and {got[1]:.0f} % of a CPU")
        self.would(r"VM c[12]: would move: ", mark, 40, "ballast says what it would do, and", starved)
        v.expect(self.where(both) == ["h1"] * 2, "nothing was moved")
        mark, asked, starved = self.fleet.mark(), time.monotonic(), Starvation([h1], HOST_PCT)
        self.mode("auto", "d", "with migration")
        moved = wait(lambda: len(set(self.where(both))) == 2, 90)
        v.expect(moved, f"auto: {', '.join(f'{g.name} on {g.host.name}' for g in both)} after "
                 f"{time.monotonic() - asked:.0f} s", starved.text())
        line = self.fleet.said(r"VM c[12]: .*h[23]", mark)
        if line:
            v.quote(line)
        time.sleep(4)
        starved = Starvation([g.host for g in both], BUSY_PCT)
        own = self.cpu_pct(both)
        self.too_busy["d"] = starved.text()
        v.expect(min(own) >= 0.85 * BUSY_PCT, f"each has its own: {own[0]:.0f} and {own[1]:.0f} % of a CPU "
                 f"(before {got[0]:.0f} and {got[1]:.0f})", self.too_busy["d"])
        self.sampler.chapter = None

    def cpu_pct(self, guests, seconds=5):
        """What each guest's virtual CPU got of a real one, as the host counts it."""
        before, start = [g.vcpu_stats()["time"] for g in guests], time.monotonic()
        time.sleep(seconds)
        after, elapsed = [g.vcpu_stats()["time"] for g in guests], time.monotonic() - start
        return [(b - a) / elapsed / 10 for a, b in zip(before, after)]
