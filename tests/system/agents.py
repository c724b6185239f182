"""ballastd on hosts of the lab, for whole-system tests: one store for all, one log each."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BALLAST_BUILD", "build")
BALLASTD = BUILD / "src" / "agent" / "ballastd"
BALLAST = BUILD / "src" / "command" / "ballast"

CONF = """[agent]
host_name = {host}
store = {store}
mode = {mode}
log_level = debug
heartbeat_s = 3
[host]
mem_reserved_mib = 16
[migration]
address = qemu+tcp://%s/system
{migration}
"""

# store_migration_state
PROPOSED, ORDERED, CLAIMED, RUNNING, DONE, REFUSED, FAILED, CANCELLED, UNKNOWN = range(9)
OPEN = {CLAIMED, RUNNING, UNKNOWN}


class Agents:
    def __init__(self, lab, mode="auto", hosts=None, migration=""):
        self.mode = mode
        self.migration = migration  # further lines of that section
        self.hosts = hosts or lab.hosts
        self.dir = Path(lab.shared) / "agents"
        self.dir.mkdir(exist_ok=True)
        self.store = self.dir / "store.db"
        self.running = {}

    def __enter__(self):
        for host in self.hosts:
            self.start(host)
        return self

    def __exit__(self, *exc):
        for host in list(self.running):
            self._end(host, signal.SIGTERM)

    def configure(self, host, mode=None):
        conf = self.dir / f"{host.name}.conf"
        conf.write_text(CONF.format(host=host.name, store=self.store, mode=mode or self.mode,
                                    migration=self.migration))
        return conf

    def start(self, host):
        """Starts it and waits until it has taken its first samples."""
        conf = self.configure(host)
        before = len(self.log(host))
        with open(self.dir / f"{host.name}.log", "ab") as log:
            self.running[host] = host.popen([str(BALLASTD), "--config", str(conf)], stdout=log, stderr=log)
        sampled = r"debug: \S+: |MiB -> |VMs, memory (high|soft|hard|low)"  # the last ones where no store serves
        assert wait(lambda: re.search(sampled, self.log(host)[before:]), 20), self.log(host)

    def _end(self, host, signum):
        process = self.running.pop(host)
        process.send_signal(signum)
        assert process.wait(15) is not None

    def kill(self, host):
        self._end(host, signal.SIGKILL)

    def end(self, host):
        self._end(host, signal.SIGTERM)

    def alive(self, host):
        return self.running[host].poll() is None

    def ballast(self, *words):
        """What `ballast WORDS --json` says of the live store."""
        command = [str(BALLAST), *words, "--json", "--store", str(self.store)]
        assert wait(self.store.exists, 10), "no agent has made the store"
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def log(self, host):
        path = self.dir / f"{host.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_log(self, host, pattern, seconds):
        return wait(lambda: re.search(pattern, self.log(host)), seconds)

    def migrations(self):
        """(state, source, destination) of every migration in the store, oldest first."""
        with sqlite3.connect(self.store, timeout=5) as db:
            return list(db.execute("select state, source, destination from migrations order by id"))


def wait(holds, seconds):
    """What holds() returned as soon as it was true, or its last value after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.2)
