"""The lab's network: a bridge in a namespace of its own, and a cable from each host to it.

Nothing of it touches the machine's network, so two labs could use the same addresses; each takes a subnet of its
own all the same, which makes logs easier to read.
"""
from .paths import LabError, run


def _namespace(tag, what):
    return f"ballast-lab-{tag}-{what}"


class Network:
    def __init__(self, tag, index):
        self.tag = tag
        self.index = index
        self.prefix = f"10.{77 + index // 256}.{index % 256}"
        self.switch = _namespace(tag, "switch")

    def of(self, host):
        return _namespace(self.tag, host)

    def address(self, number):
        return f"{self.prefix}.{number}"

    def create(self):
        run("ip", "netns", "add", self.switch)
        self._batch(self.switch, ["link set lo up", "link add br0 type bridge",
                                  f"addr add {self.prefix}.254/24 dev br0", "link set br0 up"])

    def create_host(self, host, number):
        run("ip", "netns", "add", self.of(host))
        self._batch(self.switch, [f"link add {host} type veth peer name eth0 netns {self.of(host)}",
                                  f"link set {host} master br0 up"])
        self._batch(self.of(host), ["link set lo up", f"addr add {self.address(number)}/24 dev eth0",
                                    "link set eth0 up"])

    def cable(self, host, up):
        run("ip", "-n", self.switch, "link", "set", host, "up" if up else "down")

    def destroy(self):
        """Remove the lab's namespaces; the cables go with them."""
        mine = f"ballast-lab-{self.tag}-"
        for name in self.list():
            if name.startswith(mine):
                run("ip", "netns", "del", name, check=False)

    @staticmethod
    def list():
        return [line.split()[0] for line in run("ip", "netns", "list", check=False).stdout.splitlines() if line]

    @staticmethod
    def _batch(namespace, commands):
        for command in commands:
            try:
                run("ip", "-n", namespace, *command.split())
            except LabError as e:
                raise LabError(f"network namespace {namespace}: {e}") from e
