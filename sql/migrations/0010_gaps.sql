-- Where a stream halted, for the command that goes on: offset, transaction, order, epoch, table; never a value.
ALTER TABLE pipeline.stream ADD COLUMN halted_coordinates jsonb;

-- `cdc stream accept-gap` gives a stream the next incarnation of its topic; all else it does as any commit does.
-- (cdc_replicator may update pipeline.stream already; this only says which column that is for.)
COMMENT ON COLUMN pipeline.stream.topic_id IS 'KIP-516 id of the topic that feeds this log; changed by a gap entry only';
