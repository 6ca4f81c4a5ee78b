#!/bin/sh
# Starts the broker; formats its volume once, under a cluster id of its own (16 random bytes in URL-safe base64).
set -eu
config=/etc/kafka/server.properties
data=/var/lib/kafka/data
# Without the optimising compiler, as the local stack: it answers sooner, and mostly moves bytes.
run="java -Xmx$HEAP -Xms128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -XX:-UsePerfData -Dlog4j2.configurationFile=/opt/kafka/log4j2.xml"
if [ ! -f "$data/meta.properties" ]; then
    id=A$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-22)
    # shellcheck disable=SC2086
    $run -cp '/opt/kafka/libs/*' kafka.tools.StorageTool format --ignore-formatted --cluster-id "$id" --config "$config"
fi
# shellcheck disable=SC2086
exec $run -cp '/opt/kafka/libs/*' kafka.Kafka "$config"
