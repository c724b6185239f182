#!/bin/sh
# The first process of a lab host: its private file systems, then its libvirtd, started again when it dies.
#
# It runs in fresh mount, UTS, IPC, PID, cgroup and network namespaces and in the host's cgroups. When it dies, the
# kernel kills all that runs on the host: that is a power failure.
#
#   init.sh DIR NAME CGROUP LXCFS DRIVERS DISKS
#   CGROUP: "v2", or the v1 controllers separated by commas, or "none"; LXCFS: its mount point, or "none"
#   DISKS: the folder of the guests' disks, on a file system that is not memory
set -eu
dir=$1 name=$2 cgroup=$3 lxcfs=$4 drivers=$5 disks=$6
lab=$(dirname "$dir")

mount --make-rprivate /
hostname "$name"
mount -t proc proc /proc
ip link set lo up

# The host's own pressure figures; the files must be bound before /sys/fs/cgroup is covered.
for what in cpu memory io; do
    [ ! -e "$dir/psi/$what" ] || mount --bind "$dir/psi/$what" "/proc/pressure/$what" || :
done

case $cgroup in
v2) # The namespace is rooted at the host's group. A group with processes cannot give controllers to its children,
    # so these stay in a leaf; lxcfs knows its name and looks at the parent.
    # The machine's mount goes first: the kernel refuses the same file system twice in one place.
    umount -l /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
    mkdir -p /sys/fs/cgroup/init.scope
    echo $$ > /sys/fs/cgroup/init.scope/cgroup.procs
    : > "$dir/unshared" # now the process that waits for this one leaves the group
    tries=0
    until echo "+cpu +memory" > /sys/fs/cgroup/cgroup.subtree_control; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || exit 1
        sleep 0.05
    done
    for controller in cpuset io pids; do
        echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control || :
    done ;;
none) ;;
*)  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    for controller in $(echo "$cgroup" | tr , ' '); do
        mkdir "/sys/fs/cgroup/$controller"
        mount -t cgroup -o "$controller" none "/sys/fs/cgroup/$controller"
    done ;;
esac

if [ "$lxcfs" != none ]; then
    for what in meminfo stat loadavg uptime swaps; do
        [ ! -e "$lxcfs/proc/$what" ] || mount --bind "$lxcfs/proc/$what" "/proc/$what"
    done
fi

# What is written below /var stays in the host's directory; /run is the host's own and holds neither the machine's
# D-Bus nor its systemd, which libvirtd would otherwise ask to register guests.
mount --bind "$disks" "$dir/guests/disks" # before /var is covered, where it is
mount -t overlay -o "lowerdir=/var,upperdir=$dir/var,workdir=$dir/work" overlay /var
run=$dir/newrun
mount -t tmpfs -o mode=755 tmpfs "$run"
mkdir -p "$run/libvirt" "$run/lab" "$run/lock" "$run/netns" "$run/ballast-lab/$(basename "$lab")"
mount --rbind "$lab" "$run/ballast-lab/$(basename "$lab")"
mount --bind "$dir/run" "$run/libvirt"
mount --rbind "$dir/guests" "$run/lab"
mount --no-mtab --move "$run" /run
mount --bind "$dir/etc" /etc/libvirt
for file in hosts passwd group; do
    mount --bind "$lab/etc/$file" "/etc/$file"
done
mkdir -p /var/lib/libvirt /var/log/libvirt /var/cache/libvirt/qemu/capabilities
cp -n "$lab"/capabilities/*.xml /var/cache/libvirt/qemu/capabilities/ 2>/dev/null || :

# The QEMU driver only: the others want dnsmasq, udev, D-Bus, ...
export LIBVIRT_DRIVER_DIR="$drivers"
daemon() {
    rm -f /run/libvirt/libvirtd.pid
    libvirtd --config /etc/libvirt/libvirtd.conf --pid-file /run/libvirt/libvirtd.pid --listen &
    child=$!
    echo "$child" > "$dir/libvirtd.pid"
}
trap 'kill "$child" 2>/dev/null; exit 0' TERM INT
daemon
# As the first process this also reaps QEMUs, which detach from libvirtd.
while :; do
    wait "$child" || :
    kill -0 "$child" 2>/dev/null && continue
    sleep 0.3
    while [ -e "$dir/no-libvirtd" ]; do sleep 0.1; done
    daemon
done
