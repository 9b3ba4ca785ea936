#!/bin/sh
# Names etcd's users and what each may read and write, then turns authentication on. Run it as often as you like.
# A user is known by the common name in its certificate. Who writes a job's definition decides what runs: that is the
# masters alone; workers read, and write what says how runs go.
set -eu
PREFIX=${PREFIX:-/cron/}

# may ROLE READ_OR_READWRITE KEYS…: a key that ends with a slash stands for all below it.
may() {
    role=$1 kind=$2
    shift 2
    for key in "$@"; do
        case $key in
            */) etcdctl role grant-permission "$role" "$kind" --prefix=true "$key" ;;
            *) etcdctl role grant-permission "$role" "$kind" "$key" ;;
        esac
    done
}

users=$(etcdctl user list)
for user in root master worker; do
    echo "$users" | grep -qx "$user" || etcdctl user add --no-password "$user"
done
roles=$(etcdctl role list)
for role in root master worker; do
    echo "$roles" | grep -qx "$role" || etcdctl role add "$role"
    etcdctl user grant-role "$role" "$role"
done
may master readwrite "$PREFIX"
may worker read "$PREFIX"
for kind in active clocks executions kills marks runs ticks workers; do
    may worker readwrite "$PREFIX$kind/"
done
etcdctl auth enable
