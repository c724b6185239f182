"""The domain XML of a lab guest."""
import dataclasses
import re

from .paths import LabError

# A template's name; clones get theirs in its place, wherever it stands.
TEMPLATE_NAME = "lab-template-guest"
TEMPLATE_UUID = "b4114570-0000-4000-8000-7e3b1a7e0000"

# Guest-side switches that save an emulated guest time, and a console for the moment before the agent answers.
KERNEL_ARGS = ("console=ttyS0 quiet nokaslr mitigations=off panic=-1 no_timer_check cryptomgr.notests "
               "random.trust_cpu=on apparmor=0 audit=0")

BALLOONS = ("on", "nodriver", "none")


@dataclasses.dataclass(frozen=True)
class GuestOptions:
    """What makes one template differ from another."""
    mib: int = 128                      # maxmem, and the balloon's size at the start
    vcpus: int = 1
    autodeflate: bool = True            # the balloon gives way when the guest runs out of memory
    free_page_reporting: bool = True    # the guest tells QEMU which pages it freed
    balloon: str = "on"                 # "nodriver": a device that no driver serves; "none": no device
    disk_mib: int = 0                   # a read-only disk for the agent's "read"
    swap_disk_mib: int = 0              # a disk to swap to (at the agent's "swapdisk"); such guests cannot migrate
    kernel_args: str = ""

    def __post_init__(self):
        if self.balloon not in BALLOONS:
            raise LabError(f"balloon={self.balloon!r}: must be one of {', '.join(BALLOONS)}")
        if not 64 <= self.mib <= 4096:
            raise LabError(f"mib={self.mib}: a lab guest has 64 to 4096 MiB (its kernel needs some 64)")
        if not re.fullmatch(r"[\w.,=/ -]*", self.kernel_args):
            raise LabError(f"kernel_args={self.kernel_args!r}: unexpected characters")


def disk_path(disk_mib):
    """Equal on every host, so that guests with a disk can migrate."""
    return f"/run/lab/disks/disk-{disk_mib}.raw"


def swap_path(name):
    """A guest's own, since it is written to."""
    return f"/run/lab/disks/{name}.swap"


def _disk(path, target, extra):
    return (f"<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{path}'/>"
            f"<target dev='{target}' bus='virtio'/>{extra}</disk>")


def domain(name, options, image, accel, tsc_khz, uuid=None, stats_period_s=1):
    """The domain's XML. Emulated guests are told the frequency of the time stamp counter they read."""
    emulated = accel == "tcg"
    args = KERNEL_ARGS
    if emulated:
        args += f" tsc_early_khz={tsc_khz} tsc=reliable"
    if options.balloon == "nodriver":
        args += " lab.noballoon"
    if options.kernel_args:
        args += " " + options.kernel_args
    balloon = "<memballoon model='none'/>"
    if options.balloon != "none":
        balloon = (f"<memballoon model='virtio' autodeflate='{_on(options.autodeflate)}' "
                   f"freePageReporting='{_on(options.free_page_reporting)}'>"
                   f"<stats period='{stats_period_s}'/></memballoon>")
    disks = ""
    if options.disk_mib:
        disks += _disk(disk_path(options.disk_mib), "vda", "<readonly/>")
    if options.swap_disk_mib:
        disks += _disk(swap_path(name), "vdb", "")
    return f"""<domain type='{'qemu' if emulated else 'kvm'}'>
  <name>{name}</name>
  {f'<uuid>{uuid}</uuid>' if uuid else ''}
  <memory unit='MiB'>{options.mib}</memory>
  <vcpu>{options.vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{image.kernel}</kernel>
    <initrd>{image.initrd}</initrd>
    <cmdline>{args}</cmdline>
  </os>
  <features><acpi/><apic/>{"<tcg><tb-cache unit='MiB'>16</tb-cache></tcg>" if emulated else ""}</features>
  <cpu mode='maximum'/>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    {disks}
    <serial type='file'><source path='/run/lab/{name}.console'/></serial>
    <channel type='unix'>
      <source mode='bind' path='/run/lab/{name}.sock'/>
      <target type='virtio' name='lab.0'/>
    </channel>
    {balloon}
  </devices>
</domain>
"""


def _on(flag):
    return "on" if flag else "off"
