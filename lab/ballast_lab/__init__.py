"""A lab of several libvirt hosts on one machine. See ../README.md."""
from .guest import Guest, GuestError
from .host import Host
from .lab import Lab
from .paths import LabError
from .teardown import labs, traces

__all__ = ["Guest", "GuestError", "Host", "Lab", "LabError", "labs", "traces"]
