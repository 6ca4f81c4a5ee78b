-- What did one source transaction change, in its order, over all tables?
-- Run:    psql "$AUDITOR_DSN" -v source=trading -v id=812 -f sql/audit/transaction.sql
-- Shows:  its entries; the last one has what the source says it counts (`end`). None has: it has not ended in the log.
-- Limit:  a log may have one id more than once: `replay` marks what a connector sent again; a source's ids begin anew some day.
SELECT e.seq, m.transaction ->> 'order' AS "order", e.kind, e.operation, e.table_name, e.row_key, e.version, m.replay_of IS NOT NULL AS replay,
       coalesce(o.before, m.before) AS before, coalesce(o.after, m.after) AS after, coalesce(o.content, m.content) AS content, m.transaction -> 'end' AS "end"
  FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)
  CROSS JOIN LATERAL json_to_record(audit.readable(e.entry))
          AS m(after json, before json, content json, replay_of text, transaction json)
  CROSS JOIN LATERAL json_to_record(coalesce(audit.readable(b.body), '{}')) AS o(after json, before json, content json)
 WHERE e.log = :'source' AND e.transaction_id COLLATE "C" = :'id' ORDER BY e.seq;
