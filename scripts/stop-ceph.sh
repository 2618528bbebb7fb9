#!/bin/bash
# Stops what scripts/start-ceph.sh DIR started, by pid, and deletes DIR. Nothing there: nothing to do.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
dir=$(realpath -m "$1")
[ -d "$dir" ] && [ -n "$(ls -A "$dir")" ] || exit 0
[ -e "$dir/made-by-start-ceph" ] || { echo "stop-ceph: $dir was not made by start-ceph.sh; left alone" >&2; exit 1; }

is_ours() { # PID: a recycled pid does not have this configuration on its command line
  grep -qzxF -- "$dir/ceph.conf" "/proc/$1/cmdline" 2>/dev/null
}

for name in rgw osd mon; do
  pid=$(cat "$dir/$name.pid" 2>/dev/null) || continue
  # No data is worth a clean end.
  is_ours "$pid" && kill -KILL "$pid"
  while is_ours "$pid"; do sleep 0.02; done
done
rm -rf "$dir" "$dir.lock"
