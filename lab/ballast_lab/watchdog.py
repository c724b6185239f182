"""Takes a lab down when its owner dies without doing so: killed tests, SIGTERM, a crash of Python.

Started by the lab in a session of its own: python3 -m ballast_lab.watchdog TAG OWNER
"""
import os
import select
import signal
import sys

from .teardown import is_stale, read_state, teardown


def main(tag, owner):
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, signal.SIG_IGN)
    try:
        fd = os.pidfd_open(owner)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll()
    except ProcessLookupError:
        pass
    state = read_state(tag)
    if state and is_stale(state):  # a lab of the same tag may have another owner by now
        teardown(tag)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
