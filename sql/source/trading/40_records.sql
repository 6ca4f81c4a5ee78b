-- What the firm writes down.

-- Remarks of the compliance desk. No key; customer_id is null for a remark on nobody in particular.
CREATE TABLE audit_notes (
    customer_id  bigint,
    author       text,
    note         text,
    noted_at     timestamptz
);

-- Scanned and typed documents, 100 kB and more. EXTERNAL: out of line, uncompressed.
CREATE TABLE documents (
    document_id  bigint PRIMARY KEY,
    customer_id  bigint NOT NULL REFERENCES customers ON UPDATE CASCADE,
    kind         text NOT NULL,
    title        text NOT NULL,
    body         text NOT NULL,
    checksum     bytea NOT NULL,
    pages        smallint NOT NULL,
    revised_at   timestamptz NOT NULL
);
ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL;

-- One column of every type the risk engine uses.
CREATE TABLE risk_snapshots (
    snapshot_id    uuid PRIMARY KEY,
    account_id     bigint NOT NULL,
    taken_on       date NOT NULL,
    taken_at       timestamp NOT NULL,
    session_time   time NOT NULL,
    valid_until    timestamptz,
    breached       boolean,
    severity       smallint,
    horizon_days   integer,
    leverage       real,
    exposure       double precision,
    value_at_risk  numeric,
    factors        jsonb,
    model_state    bytea
);
