-- Which rows did a table without a key have at an instant, and how many copies of each?
-- Run:    psql "$AUDITOR_DSN" -v source=trading -v table=public.order_events -v at=2026-01-31T21:00:00Z -f sql/audit/as_of_keyless.sql
-- With:   table as the log names it (tables.sql); at an instant with its zone.
-- Shows:  first the moment (as in as_of.sql), then the rows: each image after a change adds a copy, each before it takes one away.
-- Limit:  where `known` is false there are no rows to show, and that says nothing.
SELECT m.seq, e.transaction_id, audit.instant(e.committed_at) AS committed, m.seq >= audit.baseline(:'source') AS known
  FROM (SELECT audit.as_of(:'source', (extract(epoch FROM timestamptz :'at') * 1000000000)::bigint) AS seq) AS m
  LEFT JOIN audit.entry e ON e.log = :'source' AND e.seq = m.seq;

WITH moment AS (SELECT audit.as_of(:'source', (extract(epoch FROM timestamptz :'at') * 1000000000)::bigint) AS seq),
     gone AS (SELECT coalesce(max(e.seq), -1) AS seq FROM audit.entry e, moment m
               WHERE e.log = :'source' AND e.table_name = :'table' AND e.row_key IS NULL AND e.kind = 'truncate' AND e.seq <= m.seq
                 AND NOT audit.is_replay(e.entry))
SELECT h.row_key, h.seq, h.copies, coalesce(audit.readable(b.body), audit.readable(n.entry)) -> 'after' AS "row"
  FROM moment m CROSS JOIN gone g CROSS JOIN LATERAL audit.copies(:'source', :'table', g.seq, m.seq) h JOIN audit.entry n ON n.log = :'source' AND n.seq = h.seq LEFT JOIN audit.body b ON b.log = :'source' AND b.seq = n.seq
 WHERE m.seq >= audit.baseline(:'source') ORDER BY h.row_key;
