"""Control groups of a lab: one group for each host, under version 1 or version 2 of the interface.

Version 2 is what Debian has with systemd; there the groups are made in a scope that systemd delegates. Version 1
is found in older set-ups and some containers; its "unified" tree carries no controllers but has pressure figures.
"""
import errno
import os
import signal
import subprocess
import time
from pathlib import Path

from .paths import LabError, run, start_time

ROOT = Path("/sys/fs/cgroup")
V1_CONTROLLERS = ["cpu", "cpuacct", "cpuset", "memory", "freezer"]
PERIOD_US = 100000


def version():
    if (ROOT / "cgroup.controllers").exists():
        return 2
    if (ROOT / "memory/cgroup.procs").exists() and (ROOT / "cpu/cgroup.procs").exists():
        return 1
    return 0


def create(tag):
    """The groups of a new lab."""
    kind = version()
    return V2.new(tag) if kind == 2 else V1(tag) if kind == 1 else Groups(tag)


def load(kind, tag, base, holder):
    """The groups of a lab that is up, from its state."""
    groups = V2(tag, Path(base)) if kind == 2 else V1(tag) if kind == 1 else Groups(tag)
    groups.holder = holder
    return groups


def _write(path, value):
    with open(path, "w") as f:
        f.write(str(value))


def _read_keys(path):
    return {k: int(v) for k, v in (line.split() for line in path.read_text().splitlines())}


def _tree(group):
    """A group and all below it, itself last. Groups may vanish meanwhile: the kernel and systemd remove them too."""
    return [Path(path) for path, _, _ in os.walk(group, topdown=False)]


class Groups:
    """No usable control groups: hosts run unconfined, and say so."""

    kind = 0
    confines = False
    for_init = "none"
    base = ""

    def __init__(self, tag):
        self.tag = tag
        self.holder = None  # (process id, start time) of what keeps the scope of version 2 alive

    def tops(self):
        """The lab's outermost groups."""
        return []

    def of(self, host):
        """All groups of one host."""
        return [top / host for top in self.tops()]

    def create_host(self, host):
        pass

    def procs_files(self, host):
        """The files that a process writes its id to in order to join the host."""
        return []

    def started(self, host, outer_pid, mark):
        """Called when a host was started; its first process makes the file `mark` when its namespaces are there."""

    def pressure_files(self, host):
        return {}

    def limit_memory(self, host, mib, swap_mib):
        raise LabError("memory of hosts cannot be limited: no control groups of version 1 or 2 are mounted")

    limit_cpu = limit_memory

    def pids(self, host):
        found = set()
        for group in self.of(host):
            for procs in [g / "cgroup.procs" for g in _tree(group)]:
                try:
                    found.update(int(p) for p in procs.read_text().split())
                except OSError:
                    pass
        return sorted(found)

    def destroy(self):
        """Kill what is left in the groups and remove them. Returns those that stay."""
        left = []
        for top in self.tops():
            end = time.monotonic() + 10
            while top.exists() and time.monotonic() < end:
                for group in _tree(top):
                    self._remove(group)
                if top.exists():
                    time.sleep(0.02)
            if top.exists():
                left.append(str(top))
        if self.holder and start_time(self.holder[0]) == self.holder[1]:
            os.kill(self.holder[0], signal.SIGKILL)
        return left

    @staticmethod
    def _remove(group):
        if not (group / "cgroup.procs").exists():
            return
        try:
            for pid in (group / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
            group.rmdir()
        except (OSError, ValueError):
            pass


class V1(Groups):
    kind = 1
    confines = True

    def __init__(self, tag):
        super().__init__(tag)
        self.controllers = [c for c in V1_CONTROLLERS if (ROOT / c / "cgroup.procs").exists()]
        self.for_init = ",".join(self.controllers)
        self.unified = (ROOT / "unified/cgroup.procs").exists()

    def tops(self):
        names = self.controllers + (["unified"] if self.unified else [])
        return [ROOT / c / f"ballast-lab-{self.tag}" for c in names]

    def group(self, host, controller):
        return ROOT / controller / f"ballast-lab-{self.tag}" / host

    def create_host(self, host):
        for group in self.of(host):
            for sub in _tree(group)[:-1]:
                self._remove(sub)  # what the host had before it crashed
            group.mkdir(parents=True, exist_ok=True)
        for group in [self.group(host, "cpuset").parent, self.group(host, "cpuset")]:
            for what in ["cpuset.cpus", "cpuset.mems"]:  # empty at first, and a group without CPUs takes nobody
                if (group / what).exists():
                    _write(group / what, (group.parent / what).read_text())

    def procs_files(self, host):
        return [group / "cgroup.procs" for group in self.of(host)]

    def pressure_files(self, host):
        group = self.group(host, "unified")
        return {w: group / f"{w}.pressure" for w in ["cpu", "memory", "io"] if (group / f"{w}.pressure").exists()}

    def limit_memory(self, host, mib, swap_mib):
        group = self.group(host, "memory")
        settings = [(group / "memory.limit_in_bytes", mib << 20)]
        if (group / "memory.memsw.limit_in_bytes").exists():
            settings.insert(0, (group / "memory.memsw.limit_in_bytes", (mib + swap_mib) << 20))
        try:
            for path, value in settings:
                _write(path, value)
        except OSError as e:
            if e.errno not in (errno.EINVAL, errno.EBUSY):
                raise
            try:  # the sum may not be below memory alone: downwards memory comes first
                for path, value in reversed(settings):
                    _write(path, value)
            except OSError as e2:
                raise LabError(f"host {host}: its memory cannot be limited to {mib} MiB, it uses "
                               f"{self.memory(host)['usage_kib'] >> 10} MiB that cannot be reclaimed") from e2

    def limit_cpu(self, host, percent):
        _write(self.group(host, "cpu") / "cpu.cfs_quota_us", percent * PERIOD_US // 100 if percent else -1)

    def memory(self, host):
        group = self.group(host, "memory")
        stat = _read_keys(group / "memory.stat")
        usage = int((group / "memory.usage_in_bytes").read_text())
        return {"usage_kib": usage >> 10, "cache_kib": stat["total_cache"] >> 10,
                "limit_kib": int((group / "memory.limit_in_bytes").read_text()) >> 10,
                "oom_kills": _read_keys(group / "memory.oom_control").get("oom_kill", 0) + sum(
                    _read_keys(g / "memory.oom_control").get("oom_kill", 0) for g in _tree(group)[:-1])}

    def cpu_ms(self, host):
        return int((self.group(host, "cpuacct") / "cpuacct.usage").read_text()) // 1000000


class V2(Groups):
    kind = 2
    confines = True
    for_init = "v2"

    def __init__(self, tag, base):
        super().__init__(tag)
        self.base = base

    @classmethod
    def new(cls, tag):
        name = f"ballast-lab-{tag}"
        if not Path("/run/systemd/system").is_dir():
            groups = cls(tag, ROOT / name)
            groups._enable(ROOT)
            groups.base.mkdir(exist_ok=True)
        else:
            holder = subprocess.Popen(
                ["systemd-run", "--scope", "--quiet", "--collect", f"--unit={name}", "-p", "Delegate=yes",
                 "sleep", "infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, start_new_session=True)
            groups = cls(tag, _scope_of(holder, name))
            groups.holder = (holder.pid, start_time(holder.pid))
            (groups.base / "holder").mkdir(exist_ok=True)
            _write(groups.base / "holder/cgroup.procs", holder.pid)
        groups._enable(groups.base)
        return groups

    @staticmethod
    def _enable(group):
        for controller in ["cpu", "cpuset", "memory", "io", "pids"]:
            try:
                _write(group / "cgroup.subtree_control", "+" + controller)
            except OSError as e:
                if controller in ("cpu", "memory"):
                    raise LabError(f"{group}: controller {controller} cannot be given to the lab's hosts: "
                                   f"{e.strerror}") from e

    def tops(self):
        return [self.base]

    def create_host(self, host):
        end = time.monotonic() + 5
        while (self.base / host).exists() and time.monotonic() < end:
            # what it had before it crashed; and it gave controllers to groups below, and so takes no process itself
            for group in _tree(self.base / host):
                self._remove(group)
        (self.base / host).mkdir(exist_ok=True)

    def started(self, host, outer_pid, mark):
        # the process that waits for the host's first one has to leave the group: only groups without processes of
        # their own can give controllers to groups below
        end = time.monotonic() + 10
        while not mark.exists() and time.monotonic() < end:
            time.sleep(0.005)
        (self.base / "holder").mkdir(exist_ok=True)
        _write(self.base / "holder/cgroup.procs", outer_pid)

    def procs_files(self, host):
        # the host's own first process starts in the group itself, which becomes the root of its namespace, and
        # moves to the leaf; others follow it there
        leaf = self.base / host / "init.scope"
        return [(leaf if leaf.exists() else self.base / host) / "cgroup.procs"]

    def pressure_files(self, host):
        group = self.base / host
        return {w: group / f"{w}.pressure" for w in ["cpu", "memory", "io"] if (group / f"{w}.pressure").exists()}

    def limit_memory(self, host, mib, swap_mib):
        group = self.base / host
        if (group / "memory.swap.max").exists():
            _write(group / "memory.swap.max", swap_mib << 20)
        # memory.max kills where it cannot reclaim; memory.high first asks to reclaim
        _write(group / "memory.high", mib << 20)
        usage = self.memory(host)["usage_kib"] >> 10
        _write(group / "memory.high", "max")
        if usage > mib:
            raise LabError(f"host {host}: its memory cannot be limited to {mib} MiB, it uses {usage} MiB that "
                           "cannot be reclaimed")
        _write(group / "memory.max", mib << 20)

    def limit_cpu(self, host, percent):
        _write(self.base / host / "cpu.max", f"{percent * PERIOD_US // 100 if percent else 'max'} {PERIOD_US}")

    def memory(self, host):
        group = self.base / host
        stat = _read_keys(group / "memory.stat")
        limit = (group / "memory.max").read_text().strip()
        return {"usage_kib": int((group / "memory.current").read_text()) >> 10, "cache_kib": stat["file"] >> 10,
                "limit_kib": None if limit == "max" else int(limit) >> 10,
                "oom_kills": _read_keys(group / "memory.events")["oom_kill"]}

    def cpu_ms(self, host):
        return _read_keys(self.base / host / "cpu.stat")["usage_usec"] // 1000


def _scope_of(holder, name):
    """Wait until systemd has put the holder into its scope; return the scope's group."""
    end = time.monotonic() + 20
    while time.monotonic() < end and holder.poll() is None:
        line = Path(f"/proc/{holder.pid}/cgroup").read_text().strip().splitlines()[-1]
        if line.endswith(f"/{name}.scope"):
            return ROOT / line.split("::", 1)[1].lstrip("/")
        time.sleep(0.02)
    words = holder.stderr.read().decode() if holder.poll() is not None else "no answer within 20 s"
    holder.kill()
    raise LabError(f"systemd gives the lab no scope: {words.strip()}")


def reset_failed(tag):
    """Make systemd forget a scope that was killed."""
    if Path("/run/systemd/system").is_dir():
        run("systemctl", "reset-failed", f"ballast-lab-{tag}.scope", check=False)
