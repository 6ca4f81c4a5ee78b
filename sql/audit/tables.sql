-- Which tables do the logs know, since when, under which names, and how is each column protected?
-- Run:    psql "$AUDITOR_DSN" -f sql/audit/tables.sql
-- Shows:  the newest description of every table. `key` lists the key columns in the order in which a row key has their values.
-- Limit:  a table is known from its first row change on; one that never had any is not here.
SELECT v.log AS source, v.table_name AS "table", v.seq, audit.view_name(v.table_name) AS view,
       (SELECT string_agg(k.name, ', ' ORDER BY k.n) FROM json_array_elements_text(d.content -> 'key') WITH ORDINALITY AS k(name, n)) AS key,
       (SELECT string_agg(p.rule ->> 'column' || ' ' || (p.rule ->> 'protect'), ', ' ORDER BY p.n)
          FROM json_array_elements(d.content -> 'plan') WITH ORDINALITY AS p(rule, n) WHERE p.rule ->> 'protect' IS NOT NULL) AS columns,
       s.suspended_code AS suspended, h.behind AS history_view_behind
  FROM (SELECT DISTINCT ON (log, table_name) log, table_name, seq FROM pipeline.table_version ORDER BY log, table_name, seq DESC) AS v
  JOIN audit.entry e USING (log, seq) LEFT JOIN audit.body b USING (log, seq)
  LEFT JOIN pipeline.state_table s ON s.log = v.log AND s.table_name = v.table_name
  LEFT JOIN pipeline.history_view h ON h.log = v.log AND h.table_name = v.table_name
  CROSS JOIN LATERAL (SELECT coalesce(audit.readable(b.body), audit.readable(e.entry)) -> 'content' AS content) AS d
 ORDER BY v.log, v.table_name;
