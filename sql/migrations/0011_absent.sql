-- Rows that a re-snapshot did not show (entries of kind `absent`, docs/formats.md §3.7).

-- One record, the end of a re-snapshot, may now bear more entries than a smallint counts. This writes the table's rows anew, once.
ALTER TABLE audit.entry ALTER COLUMN ordinal TYPE integer;

-- A table as Debezium writes it: parts without quotes, a dot between (docs/formats.md §3.6).
CREATE FUNCTION audit.debezium_name(p_table text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT array_to_string(parse_ident(p_table), '.')
$$;

-- Where the re-snapshot began that the log's next entry would end: seq of its STARTED. Null when none is under way, or when a signal
-- since the last one asked for a part of the rows only: what such a snapshot does not show may be there.
CREATE FUNCTION audit.resnapshot(p_log text) RETURNS bigint LANGUAGE sql STABLE STRICT SET search_path = pg_catalog AS $$
    WITH baseline AS (
        SELECT e.seq, audit.readable(e.entry) #>> '{content,notification}' AS notification
          FROM audit.entry e WHERE e.log = p_log AND e.kind = 'baseline'
    ), through AS (SELECT max(seq) AS seq FROM baseline WHERE notification = 'COMPLETED')
    SELECT max(b.seq) FROM baseline b, through t WHERE b.notification = 'STARTED' AND b.seq > t.seq
       AND NOT EXISTS (SELECT FROM audit.entry s WHERE s.log = p_log AND s.table_name = 'cdc.signal' AND s.kind = 'change' AND s.seq > t.seq
                          AND s.entry LIKE '%additional-condition%')
$$;

-- The rows of the tables that it has read, and that have no entry since: key, newest version and its seq. Of tables without a key every
-- row that was counted before, with its copies: the re-snapshot has counted what is there once more.
CREATE FUNCTION audit.unseen(p_log text) RETURNS TABLE (table_name text, row_key text, version bigint, seq bigint, copies bigint)
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
                SELECT scanned.name, h.row_key, NULL::bigint, NULL::bigint, h.copies FROM audit.copies(p_log, scanned.name, gone, started - 1) h
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

-- Rows of a table without a key that are there after entry p_through, by the changes after p_gone; seq of the newest that gave one.
CREATE FUNCTION audit.copies(p_log text, p_table text, p_gone bigint, p_through bigint) RETURNS TABLE (row_key text, seq bigint, copies bigint)
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
     WHERE m.row_key IS NOT NULL GROUP BY m.row_key HAVING sum(m.copies) > 0
$$;

REVOKE ALL ON FUNCTION audit.debezium_name(text), audit.resnapshot(text), audit.unseen(text), audit.copies(text, text, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.unseen(text) TO cdc_replicator;
GRANT EXECUTE ON FUNCTION audit.copies(text, text, bigint, bigint), audit.resnapshot(text) TO cdc_auditor;
