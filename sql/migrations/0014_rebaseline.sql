-- Tables that were read anew after a gap (`cdc stream rebaseline`): which, and from which entry on current state shows it.

-- Few entries, found without reading the log: every status and every answer asks for them.
CREATE INDEX entry_landmark ON audit.entry (log, seq) WHERE kind IN ('gap', 'baseline');

-- Re-snapshots that were whole and have ended (docs/formats.md §3.7): seq of STARTED and of COMPLETED, tables as Debezium names them.
CREATE FUNCTION audit.read_anew(p_log text) RETURNS TABLE (started bigint, completed bigint, tables text[])
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    WITH baseline AS (
        SELECT e.seq, c.content ->> 'notification' AS notification, c.content #>> '{detail,scanned_collection}' AS scanned,
               c.content #>> '{detail,status}' AS status
          FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)
          CROSS JOIN LATERAL (SELECT coalesce(audit.readable(b.body), audit.readable(e.entry)) -> 'content' AS content) c
         WHERE e.log = p_log AND e.kind = 'baseline' AND e.kind IN ('gap', 'baseline')
    ), ended AS (
        SELECT b.seq, lag(b.seq) OVER (ORDER BY b.seq) AS before FROM baseline b WHERE b.notification = 'COMPLETED'
    )
    SELECT s.seq, c.seq, ARRAY(SELECT DISTINCT t.scanned FROM baseline t WHERE t.seq > s.seq AND t.seq < c.seq
                                  AND t.notification = 'TABLE_SCAN_COMPLETED' AND t.status = 'SUCCEEDED' ORDER BY 1)
      FROM ended c CROSS JOIN LATERAL (SELECT max(b.seq) AS seq FROM baseline b
                                        WHERE b.notification = 'STARTED' AND b.seq > c.before AND b.seq < c.seq) s
     WHERE s.seq IS NOT NULL
       AND NOT EXISTS (SELECT FROM audit.entry e WHERE e.log = p_log AND e.table_name = 'cdc.signal' AND e.kind = 'change'
                          AND e.seq > c.before AND e.seq < c.seq AND e.entry LIKE '%additional-condition%')
     ORDER BY c.seq
$$;

-- A gap's entry, and what was read anew after it: tables, each with the entry that ended the first re-snapshot that read it.
CREATE FUNCTION audit.read_anew_since(p_log text, p_seq bigint) RETURNS TABLE (table_name text, seq bigint)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT n.name, min(r.completed) FROM audit.read_anew(p_log) r CROSS JOIN LATERAL unnest(r.tables) AS n(name)
     WHERE r.started > p_seq GROUP BY 1 ORDER BY 1
$$;

REVOKE ALL ON FUNCTION audit.read_anew(text), audit.read_anew_since(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.read_anew(text), audit.read_anew_since(text, bigint) TO cdc_auditor, cdc_replicator;
GRANT EXECUTE ON FUNCTION audit.debezium_name(text) TO cdc_auditor;

-- After a gap a row without a key may be deleted more often than the log has it. As audit.copies before, and those below none, too.
CREATE FUNCTION audit.counted(p_log text, p_table text, p_gone bigint, p_through bigint) RETURNS TABLE (row_key text, seq bigint, copies bigint)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog AS $$
    WITH applied AS (
        SELECT e.seq, e.row_key, e.kind, e.operation, e.entry FROM audit.entry e
         WHERE e.log = p_log AND e.table_name = p_table AND e.kind IN ('change', 'absent') AND e.seq > p_gone AND e.seq <= p_through
           AND NOT audit.is_replay(e.entry)
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

CREATE OR REPLACE FUNCTION audit.copies(p_log text, p_table text, p_gone bigint, p_through bigint) RETURNS TABLE (row_key text, seq bigint, copies bigint)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog AS $$
    SELECT c.row_key, c.seq, c.copies FROM audit.counted(p_log, p_table, p_gone, p_through) c WHERE c.copies > 0
$$;

-- As before, and of tables without a key what is below none as well: a re-snapshot has counted what is there.
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
        SELECT t.state_name, t.table_name AS name, t.keyless FROM pipeline.state_table t
         WHERE t.log = p_log AND audit.debezium_name(t.table_name) IN (
               SELECT c.content #>> '{detail,scanned_collection}'
                 FROM audit.entry e, LATERAL (SELECT audit.readable(e.entry) -> 'content' AS content) c
                WHERE e.log = p_log AND e.kind = 'baseline' AND e.seq > started AND c.content ->> 'notification' = 'TABLE_SCAN_COMPLETED'
                  AND c.content #>> '{detail,status}' = 'SUCCEEDED')
         ORDER BY t.table_name COLLATE "C"
    LOOP
        SELECT coalesce(max(e.seq), -1) INTO gone FROM audit.entry e
         WHERE e.log = p_log AND e.table_name = scanned.name AND e.row_key IS NULL AND e.kind = 'truncate' AND NOT audit.is_replay(e.entry);
        IF scanned.keyless THEN
            RETURN QUERY
                SELECT scanned.name, h.row_key, NULL::bigint, NULL::bigint, h.copies FROM audit.counted(p_log, scanned.name, gone, started - 1) h
                 ORDER BY h.row_key;
        ELSE
            RETURN QUERY
                SELECT scanned.name, n.row_key, n.version, n.seq, NULL::bigint FROM (
                    SELECT DISTINCT ON (e.row_key) e.row_key, e.version, e.seq, e.kind, e.operation FROM audit.entry e
                     WHERE e.log = p_log AND e.table_name = scanned.name AND e.version IS NOT NULL AND e.seq > gone
                     ORDER BY e.row_key, e.seq DESC) n
                 WHERE n.seq < started AND n.kind = 'change' AND n.operation <> 'd' ORDER BY n.row_key;
        END IF;
    END LOOP;
END
$$;

-- Whether changes of a table are known to be missing: a gap was accepted, and the table not read anew since. One of `state-diverged` is
-- of a single table, whose state stands still.
CREATE FUNCTION audit.known_missing(p_log text, p_table text) RETURNS boolean
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)
                    WHERE e.log = p_log AND e.kind = 'gap' AND e.kind IN ('gap', 'baseline')
                      AND coalesce(audit.readable(b.body), audit.readable(e.entry)) #>> '{content,cause}' <> 'state-diverged'
                      AND audit.debezium_name(p_table) NOT IN (SELECT r.table_name FROM audit.read_anew_since(e.log, e.seq) r))
$$;

REVOKE ALL ON FUNCTION audit.counted(text, text, bigint, bigint), audit.known_missing(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.counted(text, text, bigint, bigint) TO cdc_auditor;
GRANT EXECUTE ON FUNCTION audit.known_missing(text, text) TO cdc_replicator;
