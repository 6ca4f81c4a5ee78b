-- How far is a log complete, what is known to be missing, and which tables' current state stands still?
-- Run:    psql "$AUDITOR_DSN" -v source=trading -f sql/audit/completeness.sql
-- Shows:  first the log, then its gaps (no line: no known gap), then suspended tables, rows whose current state waits, by table, then records
--         in quarantine (no line: none).
-- `read_anew`: tables that were read anew at the source after the gap; current state of the others may differ from it.
-- Limit:  complete means everything that Debezium delivered. `known_since`: from that entry on an absent row is absent, before it unknown.
SELECT l.origin, l.size AS entries, audit.instant(s.complete_at) AS complete_through, s.complete_seq, audit.baseline(l.log) AS known_since_seq,
       (SELECT audit.instant(e.ordered_at) FROM audit.entry e WHERE e.log = l.log AND e.seq = audit.baseline(l.log)) AS known_since,
       CASE WHEN s.open_count > 0 THEN s.open_transaction END AS open_transaction, s.halted_code
  FROM audit.log l JOIN pipeline.stream s USING (log) WHERE l.log = :'source';

SELECT e.seq, audit.readable(e.entry) #>> '{content,from}' AS "from", audit.readable(e.entry) #>> '{content,through}' AS through,
       audit.readable(e.entry) #>> '{content,reason}' AS reason,
       ARRAY(SELECT r.table_name FROM audit.read_anew_since(e.log, e.seq) r) AS read_anew
  FROM audit.entry e WHERE e.log = :'source' AND e.kind = 'gap' ORDER BY e.seq;

SELECT table_name, suspended_code, suspended_seq FROM pipeline.state_table WHERE log = :'source' AND suspended_code IS NOT NULL ORDER BY table_name;

SELECT table_name, count(*) AS rows_waiting, min(since) AS since_seq FROM pipeline.row_wait WHERE log = :'source' GROUP BY table_name ORDER BY table_name;

-- Records in quarantine (no line: none): what they say is in no answer. table_name is empty where it cannot be told.
SELECT seq, table_name, kafka_offset FROM audit.open_quarantine(:'source');
