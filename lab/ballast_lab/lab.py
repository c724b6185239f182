"""The lab: several libvirt hosts with guests on one machine."""
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from . import cgroups
from .accel import accel, tsc_khz
from .guest import Guest
from .host import Host
from .image import image
from .network import Network
from .paths import CACHE, DISKS, RUN, SOURCE, LabError, boot_id, start_time
from .teardown import labs, read_state, remove_stale, teardown
from .template import template

DRIVER = "libvirt/connection-driver/libvirt_driver_qemu.so"


class Lab:
    """A lab of `hosts` hosts, each with mem_mib of memory and cpu_percent of one CPU.

    Use it as a context manager, or call up() and down(). It is taken down when the process that made it dies,
    however it dies, unless persistent. cpu_percent None: all hosts together get nine tenths of the machine; 0: no
    limit.
    """

    def __init__(self, hosts=3, mem_mib=2048, cpu_percent=None, tag=None, persistent=False):
        self.tag = tag or f"p{os.getpid()}"
        if not re.fullmatch(r"[a-z0-9]{1,12}", self.tag):
            raise LabError(f"tag {self.tag!r}: 1 to 12 lower-case letters and digits")
        if cpu_percent is None:
            cpu_percent = os.cpu_count() * 90 // hosts
        self.dir = RUN / self.tag
        self.shared = self.dir / "shared"     # a directory that every host sees under this path
        self.state = {"tag": self.tag, "boot_id": boot_id(), "index": 0, "watchdog": None, "lxcfs": None,
                      "disks": str(DISKS / self.tag),
                      "cgroups": None, "owner": None if persistent else [os.getpid(), start_time(os.getpid())],
                      "hosts": {f"h{n}": {"mem_mib": mem_mib, "cpu_percent": cpu_percent, "outer": None}
                                for n in range(1, hosts + 1)}}
        self.hosts = []
        self.claimed = False                  # whether the directory is this object's: only then down() does anything
        self.processes = []                   # what was started by Host.popen
        self.outers = {}
        self.groups = self.network = self.lxcfs = None
        self._image = self._accel = self._tsc_khz = None
        self._templates = {}

    @classmethod
    def attach(cls, tag):
        """A lab that is up already, made by another process."""
        state = read_state(tag)
        if state is None:
            raise LabError(f"there is no lab {tag}; labs that are up: {', '.join(labs()) or 'none'}")
        lab = cls(hosts=1, tag=tag)
        lab.state, lab.claimed = state, True
        lab._open()
        groups = state["cgroups"]
        lab.groups = cgroups.load(groups["kind"], tag, groups["base"], groups["holder"])
        lab.lxcfs = lab.dir / "lxcfs" if state["lxcfs"] else None
        return lab

    def _open(self):
        self.network = Network(self.tag, self.state["index"])
        self.hosts = [Host(self, int(name[1:])) for name in self.state["hosts"]]

    def __getitem__(self, name):
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"lab {self.tag} has no host {name!r}; it has {', '.join(self.state['hosts'])}")

    def __enter__(self):
        return self.up()

    def __exit__(self, *_):
        self.down()

    # what takes time is found out when it is first needed

    @property
    def image(self):
        self._image = self._image or image()
        return self._image

    @property
    def accel(self):
        self._accel = self._accel or accel()
        return self._accel

    @property
    def tsc_khz(self):
        self._tsc_khz = self._tsc_khz or tsc_khz()
        return self._tsc_khz

    def template(self, host, options):
        if options not in self._templates:
            self._templates[options] = template(host, options, self.image, self.accel, self.tsc_khz)
        return self._templates[options]

    # -- up and down

    def up(self):
        """Bring the hosts up; returns the lab when every libvirtd answers."""
        if os.geteuid() != 0:
            raise LabError("the lab needs root: it makes namespaces, control groups and bridges")
        remove_stale()
        self._claim_directory()
        try:
            if self.state["owner"]:
                self._start_watchdog()
            self._prepare()
            for host in self.hosts:
                host.boot()
            for host in self.hosts:
                host.wait_ready()
        except BaseException:
            self.down()
            raise
        return self

    def _claim_directory(self):
        """Make the lab's directory and take a number for its subnet that no other lab has."""
        while True:
            RUN.mkdir(parents=True, exist_ok=True)
            lock = os.open(RUN, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if RUN.exists() and os.stat(RUN).st_ino == os.fstat(lock).st_ino:
                break
            os.close(lock)  # the last lab went down and took it away
        try:
            if self.dir.exists():
                raise LabError(f"a lab {self.tag} is up already: use another tag, or lab --tag {self.tag} down")
            taken = {s["index"] for s in map(read_state, labs()) if s}
            self.state["index"] = next(i for i in range(1000) if i not in taken)
            self.dir.mkdir()
            self.claimed = True
            self.save_state()
        finally:
            os.close(lock)
        self._open()

    def save_state(self):
        part = self.dir / "state.part"
        part.write_text(json.dumps(self.state, indent=1))
        part.rename(self.dir / "state.json")

    def remember_host(self, name, **facts):
        self.state["hosts"][name].update(facts)
        self.save_state()

    def _start_watchdog(self):
        process = subprocess.Popen([sys.executable, "-m", "ballast_lab.watchdog", self.tag, str(os.getpid())],
                                   cwd="/", env=dict(os.environ, PYTHONPATH=str(SOURCE)), start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.state["watchdog"] = [process.pid, start_time(process.pid)]
        self.outers["watchdog"] = process
        self.save_state()

    def _prepare(self):
        for what in ["shared", "etc", "drivers", "lxcfs", "capabilities"]:
            (self.dir / what).mkdir()
        names = "".join(f"{self.network.address(h.number)} {h.name}\n" for h in self.hosts)
        (self.dir / "etc/hosts").write_text("127.0.0.1 localhost\n" + names)
        # libvirtd insists on this user and group, even when QEMU runs as root
        for file, line in [("passwd", "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin"),
                           ("group", "libvirt-qemu:x:64055:")]:
            text = Path("/etc", file).read_text()
            (self.dir / "etc" / file).write_text(text if "\nlibvirt-qemu:" in text else f"{text}{line}\n")
        driver = next(Path("/usr/lib").glob(f"*/{DRIVER}"), None)
        if driver is None:
            raise LabError("libvirt's QEMU driver is not installed: apt-get install libvirt-daemon-driver-qemu")
        (self.dir / "drivers/libvirt_driver_qemu.so").symlink_to(driver)
        for known in CACHE.glob("capabilities/*.xml"):
            shutil.copy(known, self.dir / "capabilities")
        self.groups = cgroups.create(self.tag)
        self.state["cgroups"] = {"kind": self.groups.kind, "base": str(self.groups.base),
                                 "holder": self.groups.holder}
        self.save_state()
        self._start_lxcfs()
        self.network.create()
        for host in self.hosts:
            host.dir.mkdir()
            self.network.create_host(host.name, host.number)

    def _start_lxcfs(self):
        """lxcfs shows each host its own memory in /proc/meminfo; without it they see the machine's."""
        if not shutil.which("lxcfs") or not os.access("/dev/fuse", os.R_OK | os.W_OK) or not self.groups.confines:
            return
        place = self.dir / "lxcfs"
        with open(self.dir / "lxcfs.log", "w") as log:
            process = subprocess.Popen(["lxcfs", "-f", "-p", self.dir / "lxcfs.pid", place], stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
        self.state["lxcfs"] = [process.pid, start_time(process.pid)]
        self.outers["lxcfs"] = process
        self.save_state()
        end = time.monotonic() + 10
        while not (place / "proc/meminfo").exists():
            if time.monotonic() > end or process.poll() is not None:
                raise LabError(f"lxcfs does not start: {(self.dir / 'lxcfs.log').read_text()[-500:]}")
            time.sleep(0.02)
        self.lxcfs = place

    def down(self):
        """Take everything away. Safe to call twice, on a lab that is half up, and on one that up() refused because
        another has its tag: that one stays."""
        if not self.claimed:
            return
        self._keep_capabilities()
        for host in self.hosts:
            host._conn = None
        left = teardown(self.tag)
        for process in [*self.processes, *self.outers.values()]:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                left.append(f"process {process.pid}")
        self.processes.clear()
        self.outers.clear()
        self.claimed = bool(left)
        if left:
            raise LabError(f"lab {self.tag} is down, but these stay: {', '.join(left)}")

    def _keep_capabilities(self):
        """What libvirtd found out about QEMU takes it a second each time; it checks itself that it still holds."""
        try:
            for host in self.hosts[:1]:
                for path in (host.dir / "var/cache/libvirt/qemu/capabilities").glob("*.xml"):
                    (CACHE / "capabilities").mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, CACHE / "capabilities")
        except OSError:
            pass

    # -- use

    def guest(self, name):
        """The guest of this name, on whichever host it is."""
        guest = Guest(self.hosts[0], name)
        guest.locate()
        return guest

    def guests(self):
        return [g for host in self.hosts if host.is_up() for g in host.guests()]

    def clean(self):
        """Back to the state after up(): no guests, no programs, all hosts up, cables in, limits as given."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()
        for path in self.shared.iterdir():  # where /run is memory they are charged to the host that wrote them
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for host in self.hosts:
            host.mend()
            if not host.is_up():
                host.boot()
            if self.groups.confines:  # first of all: in too little memory no libvirtd comes back
                host.limit_memory(self.state["hosts"][host.name]["mem_mib"])
                host.limit_cpu(self.state["hosts"][host.name]["cpu_percent"])
            (host.dir / "no-libvirtd").unlink(missing_ok=True)
        for host in self.hosts:
            host.wait_ready()
            host.destroy_guests()
