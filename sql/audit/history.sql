-- What is one row's whole life: every version, with its images, and every truncate of its table?
-- Run:    psql "$AUDITOR_DSN" -v source=trading -v table=public.orders -v key='["1001"]' -f sql/audit/history.sql
-- With:   table as the log names it (tables.sql); key the row key: JSON texts of the key columns in order, a token as {"token":"tok_…"}.
-- Shows:  in the order of the log. `replay`: recorded once more, not applied. `linked_key`: the other half of a key change.
-- Limit:  a truncate is listed whether the row was there or not. Typed columns: the view <source>_history.<table>.
SELECT e.seq, e.version, audit.instant(e.committed_at) AS committed, e.operation, e.transaction_id, m.replay_of IS NOT NULL AS replay,
       m.linked_key, coalesce(o.before, m.before) AS before, coalesce(o.after, m.after) AS after
  FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)
  CROSS JOIN LATERAL json_to_record(audit.readable(e.entry)) AS m(after json, before json, linked_key json, replay_of text)
  CROSS JOIN LATERAL json_to_record(coalesce(audit.readable(b.body), '{}')) AS o(after json, before json)
 WHERE e.log = :'source' AND e.table_name = :'table' AND (e.row_key = :'key' OR (e.row_key IS NULL AND e.kind = 'truncate'))
 ORDER BY e.seq;
