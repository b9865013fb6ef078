#!/bin/bash
# What a host needs before Ansible can reach it: its data volume, and (on AWS) the agents. Everything else is a role's work.
# Runs at the first boot, as root, with cloud-init. May run again: it formats and adds nothing twice.
set -euo pipefail

data=/var/lib/nifi

file_system() { blkid --output value --match-tag TYPE "$1" || true; }

# The data volume is the one EBS disk without partitions: its device name depends on the instance type (xvdf, nvme1n1, nvme0n1 …).
# Where there is none (a container has no devices of its own) the folder serves.
find_volume() {
  local disk model
  while read -r disk model; do
    case "$disk" in /dev/xvd* | /dev/nvme*) ;; *) continue ;; esac
    [ -b "$disk" ] || continue
    [ "$model" != "Amazon EC2 NVMe Instance Storage" ] || continue
    # one line: the disk itself, no partitions; not mounted, no swap
    [ "$(lsblk --noheadings --list --output TYPE "$disk")" = "disk" ] || continue
    [ -z "$(lsblk --noheadings --output MOUNTPOINTS "$disk" | tr -d '[:space:]')" ] || continue
    # empty, or formatted by an earlier run; never what somebody else put there
    if [ -n "$(file_system "$disk")" ]; then
      [ "$(blkid --output value --match-tag LABEL "$disk")" = "nifi" ] || continue
    fi
    echo "$disk"
    return
  done < <(lsblk --noheadings --nodeps --paths --output NAME,MODEL 2>/dev/null || true)
}

install --directory --mode=0755 "$data"
volume="$(find_volume)"
if [ -n "$volume" ]; then
  [ -n "$(file_system "$volume")" ] || mkfs.ext4 -q -L nifi "$volume"
  grep -q '^LABEL=nifi ' /etc/fstab || echo "LABEL=nifi $data ext4 defaults,nofail,noatime 0 2" >>/etc/fstab
  mountpoint -q "$data" || mount "$volume" "$data"
fi

${install_agents}