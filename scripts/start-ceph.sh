#!/bin/bash
# Starts an S3 server for tests: Ceph's object gateway on loopback, everything in DIR and in memory, in a few seconds.
#
#   scripts/start-ceph.sh DIR [PID]     start it, or find it running; with PID, it stops when that process ends
#   scripts/stop-ceph.sh DIR            stop it and delete DIR
#
# Prints VSYNC_TEST_S3_* lines for `env` or `eval`. Ports are free ones, so any number run side by side.
# Needs these Debian packages: radosgw ceph-mon ceph-osd curl
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: $0 DIR [PID]" >&2; exit 2; }
dir=$(realpath -m "$1")
owner=${2:-}
scripts=$(dirname "$(realpath "$0")")
conf=$dir/ceph.conf
bucket=vsync-test access_key=vsynctest secret_key=loopback-only-not-a-secret region=us-east-1
PATH=$PATH:/usr/sbin:/sbin

is_running() { # NAME: its pid file names a process that has this configuration on its command line
  grep -qzxF -- "$conf" "/proc/$(cat "$dir/$1.pid" 2>/dev/null || echo none)/cmdline" 2>/dev/null
}

fail() {
  echo "start-ceph: $*" >&2
  tail -qn 5 "$dir"/*.log >&2 2>/dev/null || true
  for name in mon osd rgw; do is_running $name && kill -KILL "$(cat "$dir/$name.pid")"; done # DIR stays, for its logs
  exit 1
}

for program in ceph ceph-mon ceph-osd monmaptool radosgw radosgw-admin curl; do
  type -P "$program" >/dev/null || fail "$program is missing: apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd curl"
done

# One start in one DIR at a time; the second finds it running. Daemons must not inherit the lock.
mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9

are_running() { is_running mon && is_running osd && is_running rgw; }

request() { # METHOD URL [CURL OPTION]: on the bucket; prints the status
  curl -s -o /dev/null -w '%{http_code}' -m 10 -X "$1" ${3:-} --aws-sigv4 "aws:amz:$region:s3" -u "$access_key:$secret_key" \
    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$2/$bucket" || true
}

if are_running && [ "$(request HEAD "$(sed -n 's/^VSYNC_TEST_S3_ENDPOINT=//p' "$dir/env")" --head)" = 200 ]; then
  cat "$dir/env"
  exit
fi

free_port() { # below the range from which the kernel takes ports for outgoing connections
  local port
  while port=$((20000 + RANDOM % 12000)); (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; do :; done
  echo $port
}

launch() { # NAME COMMAND...: in the background, in a session of its own, with its pid and its output in DIR
  local name=$1
  shift
  setsid "$@" >"$dir/$name.log" 2>&1 </dev/null 9>&- &
  echo $! >"$dir/$name.pid"
}

wait_for() { # WHAT CONDITION...: as long as nothing that was launched has died
  local what=$1 tries pid
  shift
  for tries in $(seq 300); do
    "$@" && return
    for pid in "$dir"/*.pid; do kill -0 "$(cat "$pid")" 2>/dev/null || return 1; done
    sleep 0.05
  done
  fail "$what: no success in 15 seconds"
}

listens() { (: </dev/tcp/127.0.0.1/"$1") 2>/dev/null; }
bucket_made() { [ "$(request PUT "$1")" = 200 ]; }

write_conf() { # MON_PORT S3_PORT: one of each, no authentication among them, nothing kept but in memory
  cat >"$conf" <<END
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$1
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
admin socket =
run dir = $dir
crash dir = $dir
log file = $dir/\$name.ceph.log
mon cluster log file = $dir/cluster.ceph.log
paxos propose interval = 0.05
paxos min wait = 0.01
mon allow pool size one = true
mon data avail crit = 0
mon max pg per osd = 1000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[mon]
mon data = $dir/mon
[osd]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd class update on start = false
[client.rgw]
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$2
rgw num control oids = 1
rgw enable usage log = false
rgw run sync thread = false
END
}

start() { # returns 1 when a daemon died: most likely something else took its port meanwhile
  local mon_port s3_port url osd_id
  mon_port=$(free_port) s3_port=$(free_port) fsid=$(cat /proc/sys/kernel/random/uuid)
  osd_id=$(cat /proc/sys/kernel/random/uuid)
  url=http://127.0.0.1:$s3_port
  mkdir -p "$dir/mon" "$dir/osd" "$dir/rgw"
  touch "$dir/made-by-start-ceph"
  write_conf "$mon_port" "$s3_port"
  local ceph=(--conf "$conf" --no-mon-config)

  {
    monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap" &&
      ceph-mon "${ceph[@]}" --id a --mkfs --monmap "$dir/monmap"
  } >"$dir/make-mon.log" 2>&1 || fail "the monitor's data cannot be made"
  launch mon ceph-mon "${ceph[@]}" --foreground --id a
  wait_for "monitor" listens "$mon_port" || return 1

  ceph --conf "$conf" --connect-timeout 15 osd new "$osd_id" >"$dir/make-osd.log" 2>&1 || return 1
  ceph-osd "${ceph[@]}" --id 0 --mkfs --osd-uuid "$osd_id" >>"$dir/make-osd.log" 2>&1 ||
    fail "the object store's data cannot be made"
  launch osd ceph-osd "${ceph[@]}" --foreground --id 0

  # Waits by itself until the object store is up.
  timeout 30 radosgw-admin --conf "$conf" --name client.rgw user create --uid test --display-name test \
    --access-key "$access_key" --secret-key "$secret_key" >"$dir/make-user.log" 2>&1 || return 1
  launch rgw radosgw "${ceph[@]}" --foreground --name client.rgw
  wait_for "gateway" listens "$s3_port" || return 1
  wait_for "bucket" bucket_made "$url" || return 1

  cat >"$dir/env" <<END
VSYNC_TEST_S3_ENDPOINT=$url
VSYNC_TEST_S3_REGION=$region
VSYNC_TEST_S3_BUCKET=$bucket
VSYNC_TEST_S3_ACCESS_KEY_ID=$access_key
VSYNC_TEST_S3_SECRET_ACCESS_KEY=$secret_key
END
}

for attempt in 1 2 3; do
  "$scripts/stop-ceph.sh" "$dir"
  if start; then
    if [ -n "$owner" ]; then
      setsid bash -c 'while kill -0 "$1" 2>/dev/null; do sleep 1; done; exec "$2" "$3"' \
        watch-owner "$owner" "$scripts/stop-ceph.sh" "$dir" >/dev/null 2>&1 </dev/null 9>&- &
    fi
    cat "$dir/env"
    exit
  fi
done
fail "it died three times"
