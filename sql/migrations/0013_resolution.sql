-- What becomes of quarantined records (entries of kind `resolved`, docs/formats.md §3.9): a person asks, the stream's owner carries it out.

-- Seq of the quarantined entry that an entry resolves (member `resolves`), if it is one that does.
CREATE FUNCTION audit.resolves(p_entry text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT CASE WHEN strpos(p_entry, '"resolves":') = 0 THEN NULL ELSE (audit.readable(p_entry) #>> '{resolves,seq}')::bigint END
$$;

-- The records of a log of which nothing has become yet, in order. The condition on two kinds is that of the partial index.
CREATE FUNCTION audit.open_quarantine(p_log text) RETURNS TABLE (seq bigint, table_name text, kafka_offset bigint, recorded_at timestamptz)
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT q.seq, q.table_name, q.kafka_offset, q.recorded_at FROM audit.entry q
     WHERE q.log = p_log AND q.kind = 'quarantined' AND q.kind IN ('quarantined', 'resolved')
       AND NOT EXISTS (SELECT FROM audit.entry r WHERE r.log = p_log AND r.kind = 'resolved' AND r.kind IN ('quarantined', 'resolved')
                          AND (audit.readable(r.entry) #>> '{content,of}')::bigint = q.seq)
     ORDER BY q.seq
$$;

-- One quarantined entry, for whoever replays it. Its bytes are sealed; no other kind of entry is given.
CREATE FUNCTION audit.quarantined_entry(p_log text, p_seq bigint) RETURNS TABLE (entry text, body text)
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.entry, b.body FROM audit.entry e LEFT JOIN audit.body b USING (log, seq) WHERE e.log = p_log AND e.seq = p_seq AND e.kind = 'quarantined'
$$;

-- What the log has of a row (p_key null: of a table without a key) that came after the record of entry p_seq: seq of the newest such entry.
-- A change that resolves another record stands where that record stood; a truncate, and a re-snapshot that has read the table, are of every row.
CREATE FUNCTION audit.later_than(p_log text, p_table text, p_key text, p_seq bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT greatest(
        (SELECT max(e.seq) FROM audit.entry e
          WHERE e.log = p_log AND e.table_name = p_table AND e.row_key = p_key AND e.seq > p_seq AND e.kind IN ('change', 'absent')
            AND NOT audit.is_replay(e.entry) AND coalesce(audit.resolves(e.entry), e.seq) > p_seq),
        (SELECT max(e.seq) FROM audit.entry e
          WHERE e.log = p_log AND e.table_name = p_table AND e.row_key IS NULL AND e.seq > p_seq AND e.kind = 'truncate' AND NOT audit.is_replay(e.entry)),
        (SELECT max(b.seq) FROM audit.entry b
          WHERE b.log = p_log AND b.table_name IS NULL AND b.row_key IS NULL AND b.kind = 'baseline' AND b.seq > (
                SELECT min(s.seq) FROM audit.entry s
                 WHERE s.log = p_log AND s.table_name IS NULL AND s.row_key IS NULL AND s.kind = 'baseline' AND s.seq > p_seq
                   AND audit.readable(s.entry) #>> '{content,notification}' = 'STARTED')
            AND audit.readable(b.entry) #>> '{content,detail,scanned_collection}' = audit.debezium_name(p_table)))
$$;

-- What people asked for. Operating state: the evidence is in the logs (operations, and the entry of kind `resolved`).
CREATE TABLE pipeline.resolution_request (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log          text NOT NULL REFERENCES audit.log,
    seq          bigint NOT NULL,                      -- of the quarantined entry
    how          text NOT NULL CHECK (how IN ('replayed', 'dismissed')),
    reason       text CHECK (octet_length(reason) BETWEEN 1 AND 4000),
    asked_by     text NOT NULL CHECK (octet_length(asked_by) BETWEEN 1 AND 1000),
    asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at      timestamptz,
    refused      text,                                 -- why nothing was written; null where it was
    resolved_seq bigint,                               -- the entry of kind `resolved`
    CHECK (how = 'replayed' OR reason IS NOT NULL)
);
CREATE UNIQUE INDEX resolution_request_open ON pipeline.resolution_request (log, seq) WHERE done_at IS NULL;

-- A person asks. Recorded in the log `operations` in the same transaction. Null: that record is not in quarantine (any more).
CREATE FUNCTION pipeline.request_resolution(p_log text, p_seq bigint, p_how text, p_reason text, p_by text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asked bigint;
    said  text := p_by || ', database user ' || session_user;
BEGIN
    IF NOT EXISTS (SELECT FROM audit.open_quarantine(p_log) q WHERE q.seq = p_seq) THEN
        RETURN NULL;
    END IF;
    INSERT INTO pipeline.resolution_request (log, seq, how, reason, asked_by) VALUES (p_log, p_seq, p_how, p_reason, said) RETURNING id INTO asked;
    PERFORM audit.append_operation('quarantine-' || CASE p_how WHEN 'replayed' THEN 'replay' ELSE 'resolve' END,
        jsonb_build_object('by', said, 'log', p_log, 'reason', coalesce(p_reason, ''), 'seq', p_seq::text));
    RETURN asked;
END
$$;

REVOKE ALL ON FUNCTION audit.resolves(text), audit.open_quarantine(text), audit.quarantined_entry(text, bigint),
    audit.later_than(text, text, text, bigint), pipeline.request_resolution(text, bigint, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.open_quarantine(text) TO cdc_replicator, cdc_auditor;
GRANT EXECUTE ON FUNCTION audit.resolves(text) TO cdc_auditor;
GRANT EXECUTE ON FUNCTION audit.quarantined_entry(text, bigint), audit.later_than(text, text, text, bigint),
    pipeline.request_resolution(text, bigint, text, text, text) TO cdc_replicator;
GRANT SELECT ON pipeline.resolution_request TO cdc_replicator, cdc_auditor;
GRANT UPDATE (done_at, refused, resolved_seq) ON pipeline.resolution_request TO cdc_replicator;
