#!/bin/sh
# Makes every secret of docker-compose.yml in deploy/compose/secrets/ (ignored by git), each a file of its own.
# What is there stays, so it is safe to repeat: to replace a password, empty its file first (docs/deploy.md).
#
# The folder is this user's alone (0700). The files in it can be read by others (0644), because the users inside the
# containers are others: Compose mounts a file as it is. Files are written in place, so a running container sees the new text.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/secrets}
umask 022
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

for name in postgres_trading postgres_portfolio postgres_warehouse debezium_trading debezium_portfolio \
    cdc_owner cdc_replicator cdc_auditor cdc_privacy grafana_admin; do
    [ -s "$name" ] || od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "$name"
done

warehouse() { printf 'host=warehouse dbname=warehouse user=%s password=%s' "$1" "$(cat "$1")"; }
privacy() { printf 'host=warehouse dbname=privacy user=%s password=%s' "$1" "$(cat "$1")"; }
source_dsn() { printf 'host=%s dbname=%s user=%s password=%s' "$1" "$1" "$2" "$(cat "$3_$1")"; }

# NAME, DSNs of [warehouse], DSNs of [privacy], and what the sources may be reached with: each program gets no more than it needs.
configuration() {
    {
        printf '# Written by deploy/compose/secrets.sh; it holds passwords.\n'
        printf '[kafka]\n"bootstrap.servers" = "kafka:9092"\n\n[connect]\nurl = "http://connect:8083"\n\n'
        printf '[warehouse]\n%s\n\n[privacy]\n%s\n\n' "$2" "$3"
        printf '[keyring]\npath = "/var/lib/cdc/keyring/keyring.json"\n'
        for database in trading portfolio; do
            printf '\n[sources.%s]\ndefinition = "/etc/cdc/definitions/%s.yaml"\npolicy = "/etc/cdc/policies/%s.yaml"\n' \
                "$database" "$database" "$database"
            case $4 in
            connector) printf 'dsn = "%s"\n' "$(source_dsn "$database" debezium debezium)" ;;
            owner)
                printf 'dsn = "%s"\n' "$(source_dsn "$database" debezium debezium)"
                printf 'admin_dsn = "%s"\n' "$(source_dsn "$database" postgres postgres)"
                ;;
            esac
        done
    } > "$1.toml"
}

replicator="dsn = \"$(warehouse cdc_replicator)\""
auditor="auditor_dsn = \"$(warehouse cdc_auditor)\""
owner="admin_dsn = \"$(warehouse cdc_owner)\""
store="dsn = \"$(privacy cdc_privacy)\""
store_owner="admin_dsn = \"$(privacy cdc_owner)\""

configuration migrate "dsn = \"$(warehouse cdc_owner)\"" "dsn = \"$(privacy cdc_owner)\"" none
configuration connectors 'dsn = "host=warehouse dbname=warehouse user=cdc_auditor"' 'dsn = "host=warehouse dbname=privacy user=cdc_privacy"' connector
configuration worker "$replicator" "$store" none
configuration supervisor "$replicator
$auditor" "$store" connector
configuration admin "$replicator
$auditor
$owner" "$store
$store_owner" owner

# What Connect's workers resolve: ${file:/etc/cdc/secrets/NAME.properties:KEY}.
for database in trading portfolio; do
    printf 'host=%s\nport=5432\ndbname=%s\nuser=debezium\npassword=%s\n' "$database" "$database" "$(cat "debezium_$database")" \
        > "$database.properties"
done
printf 'secrets are in %s\n' "$folder" >&2
