-- Rows that a re-snapshot did not show, of tables whose key changed.

-- As before, but by the log alone: whether rows have a key is told by the rows themselves, those from before the key changed included.
-- What current state is, and whether it was rebuilt, decides nothing here.
CREATE OR REPLACE FUNCTION audit.unseen(p_log text) RETURNS TABLE (table_name text, row_key text, version bigint, seq bigint, copies bigint)
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    started bigint := audit.resnapshot(p_log);
    scanned record;
    gone    bigint;
BEGIN
    IF started IS NULL THEN
        RETURN;
    END IF;
    FOR scanned IN
        SELECT t.table_name AS name,
               EXISTS (SELECT FROM pipeline.table_version v JOIN audit.entry e USING (log, seq) LEFT JOIN audit.body b USING (log, seq)
                        WHERE v.log = p_log AND v.table_name = t.table_name
                          AND json_array_length(coalesce(audit.readable(b.body), audit.readable(e.entry)) #> '{content,key}') = 0) AS keyless
          FROM pipeline.state_table t
         WHERE t.log = p_log AND audit.debezium_name(t.table_name) IN (
               SELECT c.content #>> '{detail,scanned_collection}'
                 FROM audit.entry e, LATERAL (SELECT audit.readable(e.entry) -> 'content' AS content) c
                WHERE e.log = p_log AND e.kind = 'baseline' AND e.seq > started AND c.content ->> 'notification' = 'TABLE_SCAN_COMPLETED'
                  AND c.content #>> '{detail,status}' = 'SUCCEEDED')
         ORDER BY t.table_name COLLATE "C"
    LOOP
        SELECT coalesce(max(e.seq), -1) INTO gone FROM audit.entry e
         WHERE e.log = p_log AND e.table_name = scanned.name AND e.row_key IS NULL AND e.kind = 'truncate' AND NOT audit.is_replay(e.entry);
        RETURN QUERY
            SELECT scanned.name, u.row_key, u.version, u.seq, u.copies FROM (
                SELECT h.row_key, NULL::bigint AS version, NULL::bigint AS seq, h.copies
                  FROM audit.counted(p_log, scanned.name, gone, started - 1) h WHERE scanned.keyless
                UNION ALL
                SELECT n.row_key, n.version, n.seq, NULL::bigint FROM (
                    SELECT DISTINCT ON (e.row_key) e.row_key, e.version, e.seq, e.kind, e.operation FROM audit.entry e
                     WHERE e.log = p_log AND e.table_name = scanned.name AND e.version IS NOT NULL AND e.seq > gone
                     ORDER BY e.row_key, e.seq DESC) n
                 WHERE n.seq < started AND n.kind = 'change' AND n.operation <> 'd') u
             ORDER BY u.row_key COLLATE "C";
    END LOOP;
END
$$;

-- As before, without the changes of a time when the table had a key: those are versions, not copies.
CREATE OR REPLACE FUNCTION audit.counted(p_log text, p_table text, p_gone bigint, p_through bigint) RETURNS TABLE (row_key text, seq bigint, copies bigint)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog AS $$
    WITH applied AS (
        SELECT e.seq, e.row_key, e.kind, e.operation, e.entry FROM audit.entry e
         WHERE e.log = p_log AND e.table_name = p_table AND e.kind IN ('change', 'absent') AND e.seq > p_gone AND e.seq <= p_through
           AND e.version IS NULL AND NOT audit.is_replay(e.entry)
    ), moved AS (
        SELECT a.seq, a.row_key, 1 AS copies FROM applied a WHERE a.kind = 'change' AND a.operation <> 'd'
        UNION ALL SELECT a.seq, a.row_key, -1 FROM applied a WHERE a.kind = 'change' AND a.operation = 'd'
        UNION ALL SELECT a.seq, audit.keyless_row(coalesce(audit.readable(b.body), audit.readable(a.entry)) -> 'before'), -1
          FROM applied a LEFT JOIN audit.body b ON b.log = p_log AND b.seq = a.seq WHERE a.kind = 'change' AND a.operation = 'u'
        UNION ALL SELECT a.seq, a.row_key, -(audit.readable(a.entry) #>> '{content,copies}')::bigint FROM applied a WHERE a.kind = 'absent'
    )
    SELECT m.row_key, max(m.seq) FILTER (WHERE m.copies = 1), sum(m.copies)::bigint FROM moved m
     WHERE m.row_key IS NOT NULL GROUP BY m.row_key HAVING sum(m.copies) <> 0
$$;
