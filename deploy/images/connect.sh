#!/bin/sh
# Starts one Connect worker in distributed mode.
set -eu
exec java "-Xmx$HEAP" -Xms128m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -XX:-UsePerfData \
    -Dlog4j2.configurationFile=/opt/kafka/log4j2.xml \
    -cp '/opt/kafka/libs/*' org.apache.kafka.connect.cli.ConnectDistributed /etc/kafka/worker.properties
