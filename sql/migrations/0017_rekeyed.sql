-- State tables whose key changed (`cdc rebuild` keys their rows anew).

-- A row may show an entry from before the change, which has another row key: the newest versions of row keys are in the log alone.
ALTER TABLE pipeline.state_table ADD COLUMN rekeyed boolean NOT NULL DEFAULT false;
