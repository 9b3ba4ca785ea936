#!/bin/sh
# What each of dcron's services may do in Kafka; all else is refused. Run it as often as you like.
# A service is known by the common name in its certificate. The log of job events is written by masters alone.
set -eu
PREFIX=${PREFIX:-cron.}

# allow USERS OPERATIONS FLAGS…
allow() {
    users=$1 operations=$2
    shift 2
    for user in $users; do set -- "$@" --allow-principal "User:$user"; done
    for operation in $operations; do set -- "$@" --operation "$operation"; done
    /opt/kafka/bin/kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config /etc/dcron/client.properties --add "$@"
}

EVERY="--resource-pattern-type prefixed --topic $PREFIX"
allow "master worker log-ingester" "Create Describe DescribeConfigs" $EVERY
allow master "Read Write" $EVERY
allow log-ingester "Describe Read" $EVERY --group dcron-log-ingester
allow "worker log-ingester" Write --topic "${PREFIX}executions"
allow log-ingester Write --topic "${PREFIX}dead-letter"
