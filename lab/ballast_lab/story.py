"""What a told story needs: agents on the lab's hosts, a voice, the score while it runs."""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from .guest import GuestError
from .paths import SOURCE, LabError

BUILD = SOURCE.parent / os.environ.get("BALLAST_BUILD", "build")
BALLAST, BALLASTD = BUILD / "src/command/ballast", BUILD / "src/agent/ballastd"

CONF = """[agent]
host_name = {host}
store = {store}
mode = {mode}
heartbeat_s = 2
[host]
mem_reserved_mib = 16
[migration]
enabled = {migrate}
address = qemu+tcp://%s/system
"""


def wait(holds, seconds):
    """What holds() returned as soon as it was true, or its last value after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.3)


def facts(guest):
    """The guest's own figures; None while it is on its way between hosts or too busy to answer."""
    try:
        return guest.stat(3.0)
    except (GuestError, OSError):
        guest.locate()
        return None


class Fleet:
    """ballastd on every host, one store for all."""

    def __init__(self, lab):
        self.lab = lab
        self.dir = Path(lab.shared) / "agents"
        self.dir.mkdir(exist_ok=True)
        self.store = self.dir / "store.db"
        self.mode, self.still, self.running = "observe", set(), {}

    def start(self):
        for host in self.lab.hosts:
            self._configure(host)
            with open(self.dir / f"{host.name}.log", "ab") as log:
                self.running[host.name] = host.popen([str(BALLASTD), "--config", str(self._conf(host))],
                                                     outlives=True, stdout=log, stderr=log)
        if not wait(lambda: len(self.json("hosts").get("hosts", [])) == len(self.lab.hosts), 40):
            raise LabError("ballastd does not report: " + "".join(self.log(h)[-500:] for h in self.lab.hosts))

    def _conf(self, host):
        return self.dir / f"{host.name}.conf"

    def _configure(self, host):
        self._conf(host).write_text(CONF.format(host=host.name, store=self.store, mode=self.mode,
                                                migrate="no" if host.name in self.still else "yes"))

    def set_mode(self, mode, still=()):
        """As an operator does: edit the settings, send SIGHUP. Hosts in still move no VM."""
        self.mode, self.still = mode, {h.name for h in still}
        for host in self.lab.hosts:
            self._configure(host)
            self.running[host.name].send_signal(signal.SIGHUP)
        time.sleep(0.5)

    def log(self, host):
        path = self.dir / f"{host.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def mark(self):
        return {h.name: len(self.log(h)) for h in self.lab.hosts}

    def said(self, pattern, mark):
        """The newest line of any log since mark in which pattern is found, without its time; None without."""
        found = None
        for host in self.lab.hosts:
            for line in self.log(host)[mark[host.name]:].splitlines():
                if re.search(pattern, line):
                    found = re.sub(r"^\S+ \w+: ", f"{host.name}: ", line)
        return found

    def json(self, verb):
        """What a verb of ballast prints with --json; {} when it cannot tell."""
        try:
            done = subprocess.run([str(BALLAST), verb, "--store", str(self.store), "--json"], capture_output=True,
                                  text=True, stdin=subprocess.DEVNULL)
            return json.loads(done.stdout)
        except (OSError, ValueError):
            return {}


class Voice:
    """Lines for the operator, with colours where somebody looks."""

    def __init__(self):
        self.colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.start, self.failed, self.unjudged = time.monotonic(), [], []
        self.act = ""
        sys.stdout.reconfigure(errors="replace")

    def _line(self, text, colour=None):
        if colour and self.colours:
            text = f"\x1b[{colour}m{text}\x1b[0m"
        print(text, flush=True)

    def seconds(self):
        return time.monotonic() - self.start

    def title(self, text):
        self.act = text
        self._line(f"\n== {text}", "1")

    def say(self, text):
        self._line(f"{self.seconds():5.0f} s  {text}")

    def quote(self, line):
        """What ballast itself said."""
        self._line(f"         ballast> {line}", "36")

    def expect(self, came, text, too_busy=None):
        """Judge an expected effect; the text says what was measured. too_busy: why a miss says nothing of ballast."""
        if came:
            self._line(f"{self.seconds():5.0f} s  ok   {text}", "32")
        elif too_busy:
            self._line(f"{self.seconds():5.0f} s  ?    {text}: the machine itself is too busy to judge: "
                       f"{too_busy}", "33")
            self.unjudged.append(f"{self.act}: {text}: {too_busy}")
        else:
            self._line(f"{self.seconds():5.0f} s  NOT  {text}", "1;31")
            self.failed.append(f"{self.act}: {text}")
        return came


def machine_idle():
    """Idle and total time of the machine's CPUs so far, in its own unit."""
    ticks = [int(w) for w in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


class Starvation:
    """Whether hosts whose guests want all they may have got less than that since start: others had the machine."""

    def __init__(self, hosts, wanted_pct):
        self.hosts, self.wanted_pct = hosts, wanted_pct  # wanted_pct: of a CPU, each host's limit or its guests' demand
        self.start, self.cpu_ms, self.idle = time.monotonic(), [h.cpu_ms() for h in hosts], machine_idle()

    def text(self):
        """What was measured when they were starved from outside; None otherwise."""
        elapsed = time.monotonic() - self.start
        got = min((h.cpu_ms() - before) / elapsed / 10 for h, before in zip(self.hosts, self.cpu_ms))
        idle, total = (b - a for a, b in zip(self.idle, machine_idle()))
        if got >= 0.9 * self.wanted_pct or idle > 0.05 * total:
            return None
        return (f"a host used {got:.0f} % of a CPU, its guests want {self.wanted_pct} % and its limit allows it; the "
                f"machine had {100 * idle / max(1, total):.0f} % idle")


class Sampler(threading.Thread):
    """VM-seconds lost per second, as `ballast vms` reports it, once a second, with the chapter it belongs to."""

    def __init__(self, fleet):
        super().__init__(daemon=True)
        self.fleet, self.chapter, self.rows, self.ended = fleet, None, [], threading.Event()

    def run(self):
        while not self.ended.wait(1.0):
            chapter, vms = self.chapter, self.fleet.json("vms").get("vms", [])
            if chapter and vms:
                self.rows.append((chapter, sum(1 - vm["satisfaction"] for vm in vms if vm["satisfaction"] is not None)))

    def stop(self):
        self.ended.set()
        self.join(10)

    def of(self, *chapter):
        return [lost for c, lost in self.rows if c == chapter]


def plot(lost, highest, unicode):
    """A line of bars, one for each second."""
    bars = " ▁▂▃▄▅▆▇█" if unicode else " .:-=+*#@"
    return "".join(bars[min(8, round(8 * v / highest))] if v >= 0.005 else bars[0] for v in lost)
