-- The newest beat of the source that the log has: the next one must follow it, or changes between the two may never have come.
ALTER TABLE pipeline.stream ADD COLUMN heartbeat_at text;                -- cdc.heartbeat.beat_at, as the entry has it; null: not known
