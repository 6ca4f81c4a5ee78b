-- Which rows did a table with a key have at an instant, and what was in them?
-- Run:    psql "$AUDITOR_DSN" -v source=trading -v table=public.orders -v at=2026-01-31T21:00:00Z -f sql/audit/as_of.sql
-- With:   table as the log names it (tables.sql); at an instant with its zone.
-- Shows:  first the moment: the last entry at or before the instant that is not inside a transaction, and whether the table is known
--         then; next the rows, ordered by row key.
-- Limit:  where `known` is false there are no rows to show, and that says nothing. Tables without a key: as_of_keyless.sql. A table
--         whose key columns changed: rows from before and since cannot be matched, and cdc audit as-of refuses to, until it is
--         truncated or read anew.
SELECT m.seq, e.transaction_id, audit.instant(e.committed_at) AS committed, m.seq >= audit.baseline(:'source') AS known
  FROM (SELECT audit.as_of(:'source', (extract(epoch FROM timestamptz :'at') * 1000000000)::bigint) AS seq) AS m
  LEFT JOIN audit.entry e ON e.log = :'source' AND e.seq = m.seq;

WITH moment AS (SELECT audit.as_of(:'source', (extract(epoch FROM timestamptz :'at') * 1000000000)::bigint) AS seq),
     gone AS (SELECT coalesce(max(e.seq), -1) AS seq FROM audit.entry e, moment m
               WHERE e.log = :'source' AND e.table_name = :'table' AND e.row_key IS NULL AND e.kind = 'truncate' AND e.seq <= m.seq
                 AND NOT audit.is_replay(e.entry))
SELECT n.row_key, n.seq, n.version, coalesce(audit.readable(b.body), audit.readable(n.entry)) -> 'after' AS "row"
  FROM (SELECT DISTINCT ON (e.row_key) e.row_key, e.seq, e.version, e.operation, e.entry FROM audit.entry e, moment m, gone g
         WHERE e.log = :'source' AND e.table_name = :'table' AND e.version IS NOT NULL AND e.seq <= m.seq AND e.seq > g.seq
           AND m.seq >= audit.baseline(:'source')
         ORDER BY e.row_key, e.seq DESC) AS n
  LEFT JOIN audit.body b ON b.log = :'source' AND b.seq = n.seq
 WHERE n.operation <> 'd' ORDER BY n.row_key;
