#!/bin/bash
# The demo's story through the containers: two live databases are captured, a worker is killed in full flow, the spare takes over, nothing is
# lost, the log verifies, Prometheus sees it, passwords are replaced. Ends with 0 only when every step held. Where no image can be pulled:
# export COMPOSE_FILE as standin.yml says.
#
#   bash deploy/compose/story.sh [down]       KEEP=1 leaves everything up at the end; `down` takes away what was left, and does no more
#
# A project, secrets and ports of its own: what `docker compose up` has started in this checkout is not touched.
set -euo pipefail
cd "$(dirname "$0")/../.."
began=$SECONDS
say() { printf '%4d s  %s\n' $((SECONDS - began)) "$1"; }
fail() { say "FAILED: $1"; exit 1; }
export COMPOSE_PROJECT_NAME=cdc-audit-story CDC_SECRETS=./deploy/compose/secrets/story
# 0: any that is free. Nothing here is reached from outside.
export CDC_TRADING_PORT=0 CDC_PORTFOLIO_PORT=0 CDC_WAREHOUSE_PORT=0 CDC_PROMETHEUS_PORT=0 CDC_GRAFANA_PORT=0
down() { docker compose --profile tools down --volumes --timeout 30 > /dev/null 2>&1; rm -rf "$CDC_SECRETS"; rmdir deploy/compose/secrets 2> /dev/null || true; }
within() {  # SECONDS WHAT COMMAND…: until the command succeeds
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do [ $SECONDS -lt $until ] || fail "$what"; sleep 1; done
}
ending() {
    rm -f /tmp/story.$$ /tmp/story.*.$$
    [ "${KEEP:-}" ] || down || true
}
if [ "${1:-}" = down ]; then
    down
    exit
fi
trap ending EXIT

cdc() { docker compose run --rm --no-TTY --no-deps cdc "$@" 2> /tmp/story.$$; }
python() { docker compose run --rm --no-TTY --no-deps --entrypoint python cdc -c "$1"; }
source_sql() { docker compose exec -T "$1" psql -U postgres -d "$1" -Atc "$2"; }
warehouse_sql() { docker compose exec -T warehouse psql -U postgres -d warehouse -Atc "$1"; }
owner() { warehouse_sql "SELECT split_part(owner, '/', 1) FROM pipeline.lease WHERE log = 'trading' AND renewed_at > clock_timestamp() - interval '10 s'"; }
play='
import sys
from cdc import config
from cdc.local import workload
name, seconds = "%s", %s
dsn = config.load().sources[name].admin_dsn
done = workload.loop(dsn, seconds, 200.0, 11) if seconds else workload.run(dsn, name, 7, 0.2)
print(done.changes)
'

down || true  # of a story that was broken off
sh deploy/compose/secrets.sh "$CDC_SECRETS" 2> /dev/null
docker compose up --wait --wait-timeout 900 > /tmp/story.up.$$ 2>&1 || { tail -n 20 /tmp/story.up.$$; docker compose ps --all; fail "docker compose up"; }
say "up: $(docker compose ps --format '{{.Service}} {{.Status}}' | sort | tr '\n' ';')"

trading=$(python "$(printf "$play" trading 0)") && portfolio=$(python "$(printf "$play" portfolio 0)")
say "workload: trading $trading row changes, portfolio $portfolio"

python "$(printf "$play" trading 40)" > /tmp/story.orders.$$ &
orders=$!
sleep 8
owned() { first=$(owner) && [ -n "$first" ]; }
within 120 "nobody owns stream trading" owned
other=replicate-trading
[ "$first" = "$other" ] && other=replicate-trading-spare
pid=$(docker inspect --format '{{.State.Pid}}' "$(docker compose ps --quiet "$first")")
killed=$SECONDS
kill -9 "$pid"
taken_over() { [ "$(owner)" = "$other" ]; }
within 120 "no take-over from $first" taken_over
say "SIGKILL to $first in full flow; $other owns the stream after at most $((SECONDS - killed)) s"
back() { docker compose ps --format '{{.Service}} {{.Health}}' | grep -qx "$first healthy"; }
within 300 "$first did not come back" back
say "$first was started again by the engine, and stands by"
wait $orders
say "orders: $(cat /tmp/story.orders.$$) row changes meanwhile"

orders_digest="SELECT count(*), md5(string_agg(concat_ws('|', order_id, symbol, side, quantity, limit_price, status), E'\n' ORDER BY order_id)) FROM %s"
equal() {
    local here there
    here=$(source_sql trading "$(printf "$orders_digest" orders)")
    there=$(warehouse_sql "$(printf "$orders_digest" trading.orders)")
    [ "$here" = "$there" ] && same=$here
}
within 300 "orders differ between source and warehouse" equal
say "orders: equal on both sides, six clear columns of each: $same (rows|MD5)"

cdc status > /tmp/story.status.$$ || { cat /tmp/story.$$; fail "cdc status"; }
[ "$(grep -cE '^(trading|portfolio) +running ' /tmp/story.status.$$)" = 2 ] || { cat /tmp/story.status.$$; fail "both streams run"; }
say "cdc status: both streams run"

cdc audit verify > /tmp/story.verify.$$ || { cat /tmp/story.$$; fail "cdc audit verify"; }
grep -q PASS /tmp/story.verify.$$ || fail "no PASS"
say "cdc audit verify: $(grep PASS /tmp/story.verify.$$ | tr -s ' ' | tr '\n' ';')"

query() { docker compose exec -T "$1" python -c "
import json, sys, urllib.parse, urllib.request
answer = json.load(urllib.request.urlopen('http://prometheus:9090/api/v1/query?' + urllib.parse.urlencode({'query': sys.argv[1]})))
print(*(each['value'][1] for each in answer['data']['result']))" "$2"; }
scraped() { [ "$(query supervisor 'up{job="cdc"}')" = 1 ]; }
within 300 "Prometheus does not reach the supervisor" scraped
say "Prometheus: up; streams that it sees: $(query supervisor 'count(cdc_stream_lag_offsets)')"

replaced() {  # SECRET: a new password; what is running sees the new text
    : > "$CDC_SECRETS/$1"
    sh deploy/compose/secrets.sh "$CDC_SECRETS" 2> /dev/null
}
change() { source_sql trading "UPDATE orders SET quantity = quantity + 1 WHERE order_id = (SELECT min(order_id) FROM orders)" > /dev/null; }

replaced cdc_replicator
docker compose exec -T warehouse psql -q -U postgres -f /docker-entrypoint-initdb.d/roles.sql > /dev/null
docker compose restart replicate-trading replicate-trading-spare replicate-portfolio supervisor > /dev/null 2>&1
change
within 300 "no change after the replicator's password was replaced" equal
say "the replicator's password was replaced, and changes flow"

replaced debezium_trading
docker compose exec -T trading psql -q -U postgres -d trading -f /etc/cdc/roles.sql > /dev/null
docker compose restart connect > /dev/null 2>&1
change
within 300 "no change after the connector's password was replaced" equal
say "the connector's password was replaced, and changes flow"

kept=$(docker compose run --rm --no-TTY --no-deps --entrypoint cat cdc /var/lib/cdc/keyring/keyring.json 2> /dev/null | wc -c)
[ "$kept" -gt 100 ] || fail "the keyring could not be read for a backup"
say "the keyring can be backed up"
say "story held"
