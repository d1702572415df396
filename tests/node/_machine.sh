# The first process of a machine of the tests: makes the directory ROOT its root, then collects the dead until its stdin is closed.
#
#     _machine.sh ROOT NAME [SOURCE:TARGET]...
#
# It runs in namespaces of its own, so nothing that it mounts is seen outside, and all of it goes with it.
set -euo pipefail
root=$1 name=$2
shift 2

# Its number as the others outside see it: /proc is still theirs.
read -r pid _ </proc/self/stat
echo "$pid"

mount --bind "$root" "$root"
cd "$root"
mkdir -p proc sys dev run tmp old etc
chmod 1777 tmp
for entry in usr bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$entry" ]; then
    [ -L "$entry" ] || ln -s "$(readlink "/$entry")" "$entry"
  elif [ -d "/$entry" ]; then
    mkdir -p "$entry"
    mount -o bind,ro "/$entry" "$entry"
  fi
done
for bind in "$@"; do
  source=${bind%%:*} target=$root/${bind#*:}
  if [ -d "$source" ]; then mkdir -p "$target"; else touch "$target"; fi
  mount -o bind,ro "$source" "$target"
done
cp /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache etc/
echo "127.0.0.1 localhost $name" >etc/hosts
echo "$name" >etc/hostname
: >etc/resolv.conf
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
mount -t tmpfs -o mode=0755 tmpfs run
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /dev dev

# What kubelet would set in the kernel that all share: here it finds it done.
setting() {
  echo "$2" >"run/setting-${1//\//-}"
  mount --bind "run/setting-${1//\//-}" "proc/sys/$1"
}
setting vm/overcommit_memory 1
setting vm/panic_on_oom 0
setting kernel/panic 10
setting kernel/panic_on_oops 1
setting kernel/keys/root_maxkeys 1000000
setting kernel/keys/root_maxbytes 25000000

hostname "$name"
ip link set lo up
pivot_root . old
umount --lazy /old
rmdir /old
echo ready
# The shell collects every process that is left to it while it waits.
exec bash -c 'trap : CHLD; while read -r _; do :; done'
