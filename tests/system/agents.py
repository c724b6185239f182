"""ballastd on hosts of the lab, for whole-system tests: one store for all, one log each."""
import os
import re
import signal
import sqlite3
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BALLASTD = ROOT / os.environ.get("BALLAST_BUILD", "build") / "src" / "agent" / "ballastd"

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
"""

# store_migration_state
CLAIMED, RUNNING, DONE, REFUSED, FAILED, CANCELLED, UNKNOWN = 2, 3, 4, 5, 6, 7, 8
OPEN = {CLAIMED, RUNNING, UNKNOWN}


class Agents:
    def __init__(self, lab, mode="auto", hosts=None):
        self.mode = mode
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

    def start(self, host):
        """Starts it and waits until it has taken its first samples."""
        conf = self.dir / f"{host.name}.conf"
        conf.write_text(CONF.format(host=host.name, store=self.store, mode=self.mode))
        before = len(self.log(host))
        with open(self.dir / f"{host.name}.log", "ab") as log:
            self.running[host] = host.popen([str(BALLASTD), "--config", str(conf)], stdout=log, stderr=log)
        assert wait(lambda: re.search(r"debug: \S+: ", self.log(host)[before:]), 20), self.log(host)

    def _end(self, host, signum):
        process = self.running.pop(host)
        process.send_signal(signum)
        assert process.wait(15) is not None

    def kill(self, host):
        self._end(host, signal.SIGKILL)

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
