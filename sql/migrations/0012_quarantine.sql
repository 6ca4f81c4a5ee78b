-- Quarantined records of the open transaction: END may count them, or they may stand between its records by chance.
ALTER TABLE pipeline.stream ADD COLUMN open_unread bigint NOT NULL DEFAULT 0;

-- Few entries, found without reading the log.
CREATE INDEX entry_quarantined ON audit.entry (log, seq) WHERE kind IN ('quarantined', 'resolved');
