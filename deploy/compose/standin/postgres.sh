#!/bin/bash
# What docker-compose.yml needs of the official image's entrypoint: initdb with a password from a file, a database, scripts in
# /docker-entrypoint-initdb.d against a server that listens on its socket alone, then the server in the foreground.
set -euo pipefail
socket="-cunix_socket_directories=/var/run/postgresql"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    read -ra options <<< "${POSTGRES_INITDB_ARGS:-}"
    initdb --pgdata="$PGDATA" --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" "${options[@]}"
    printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -w -o "$(printf '%q ' "${@:2}" "$socket" -clisten_addresses=)" start
    export POSTGRES_DB=${POSTGRES_DB:-postgres}
    [ "$POSTGRES_DB" = postgres ] || psql -v ON_ERROR_STOP=1 -U postgres -d postgres -c "CREATE DATABASE \"$POSTGRES_DB\""
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
        *.sh) . "$file" ;;
        *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc -U postgres -d "$POSTGRES_DB" -f "$file" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@" "$socket" "-clisten_addresses=*"
