-- Rows whose state waits because a record of theirs is in quarantine (docs/formats.md §3.9): the rest of their table goes on.

-- Operating state, written in the commit that writes the quarantined entry, a truncate, or what resolves the record. A row waits until all
-- its records are resolved; while its table is suspended it stays here, also without one, until the table is rebuilt.
CREATE TABLE pipeline.row_wait (
    log        text NOT NULL REFERENCES audit.log,
    table_name text NOT NULL,
    row_key    text COLLATE "C" NOT NULL,
    since      bigint NOT NULL,              -- seq of the first quarantined entry: the row's state is what it was before that
    open       bigint[] NOT NULL,            -- seqs of the quarantined entries of which nothing has become yet
    PRIMARY KEY (log, table_name, row_key)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON pipeline.row_wait TO cdc_replicator;
GRANT SELECT ON pipeline.row_wait TO cdc_auditor;

-- The newest version that a waiting row has before entry p_before, and how its table version is described. `gone`: the last truncate before
-- it, or -1. `kept`: the columns that every table version has that was described since; null where none was. What the row has in others
-- belongs to a column that no longer exists, also where one of that name has come back. Gives entries of rows that wait, and of no other.
CREATE FUNCTION audit.waiting_row(p_log text, p_table text, p_key text, p_before bigint)
RETURNS TABLE (seq bigint, version bigint, committed_at bigint, kind text, operation text, entry text, body text, described text, gone bigint, kept text[])
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH newest AS (
        SELECT e.log, e.seq, e.version, e.committed_at, e.kind, e.operation, e.entry, audit.readable(e.entry) AS said FROM audit.entry e
         WHERE e.log = p_log AND e.table_name = p_table AND e.row_key = p_key AND e.seq < p_before AND e.version IS NOT NULL
           AND EXISTS (SELECT FROM pipeline.row_wait w WHERE w.log = p_log AND w.table_name = p_table AND w.row_key = p_key)
         ORDER BY e.seq DESC LIMIT 1)
    SELECT n.seq, n.version, n.committed_at, n.kind, n.operation, n.entry, b.body, coalesce(d.body, s.entry),
           (SELECT coalesce(max(t.seq), -1) FROM audit.entry t
             WHERE t.log = p_log AND t.table_name = p_table AND t.row_key IS NULL AND t.kind = 'truncate' AND t.seq < n.seq AND NOT audit.is_replay(t.entry)),
           (SELECT array_agg(c.name) FILTER (WHERE c.versions = c.all_versions) FROM (
                SELECT l.content ->> 'name' AS name, count(*) AS versions, (SELECT count(*) FROM pipeline.table_version a
                         WHERE a.log = n.log AND a.table_name = p_table AND a.seq > n.seq) AS all_versions
                  FROM pipeline.table_version a JOIN audit.entry ae USING (log, seq) LEFT JOIN audit.body ab USING (log, seq)
                 CROSS JOIN LATERAL json_array_elements(coalesce(audit.readable(ab.body), audit.readable(ae.entry)) #> '{content,columns}') AS l(content)
                 WHERE a.log = n.log AND a.table_name = p_table AND a.seq > n.seq GROUP BY 1) AS c)
      FROM newest n LEFT JOIN audit.body b ON b.log = n.log AND b.seq = n.seq
      LEFT JOIN pipeline.table_version v ON v.log = n.log AND v.table_name = p_table AND v.schema = n.said ->> 'schema' AND v.plan = n.said ->> 'plan'
      LEFT JOIN audit.entry s ON s.log = v.log AND s.seq = v.seq LEFT JOIN audit.body d ON d.log = v.log AND d.seq = v.seq
$$;

-- The records in quarantine for which state of a whole table waits: not those of which the row is known, nor those that a truncate
-- of their table follows, after which nothing of state hangs on them.
CREATE FUNCTION pipeline.table_waits(p_log text) RETURNS TABLE (seq bigint, table_name text, kafka_offset bigint)
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT q.seq, q.table_name, q.kafka_offset FROM audit.open_quarantine(p_log) q
     WHERE q.table_name IS NOT NULL
       AND NOT EXISTS (SELECT FROM pipeline.row_wait w WHERE w.log = p_log AND w.table_name = q.table_name AND q.seq = ANY (w.open))
       AND NOT EXISTS (SELECT FROM audit.entry t WHERE t.log = p_log AND t.table_name = q.table_name AND t.row_key IS NULL
                          AND t.kind = 'truncate' AND t.seq > q.seq AND NOT audit.is_replay(t.entry))
     ORDER BY q.seq
$$;

REVOKE ALL ON FUNCTION audit.waiting_row(text, text, text, bigint), pipeline.table_waits(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.waiting_row(text, text, text, bigint) TO cdc_replicator;
GRANT EXECUTE ON FUNCTION pipeline.table_waits(text) TO cdc_replicator, cdc_auditor;
