-- The privacy store: who the subjects are (as keyed digests), their wrapped data keys, and the index of tokens.
-- No personal value is here in clear: values are digests under a wrapped index key, or cells under a subject's data key.
-- Lengths and meaning of every binary column: docs/formats.md, sections 6 to 8.

-- Login and password are given by whoever runs the cluster.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cdc_privacy') THEN
        CREATE ROLE cdc_privacy NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;                                   -- made by another database's migration at this moment
END
$$;

-- One row. Every transaction that adds a key, subject or token raises high_water; the warehouse remembers what it has seen,
-- so that a store restored to the past is noticed before it hands out a second token for one value.
CREATE TABLE privacy.store (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    identity   uuid NOT NULL DEFAULT gen_random_uuid(),
    high_water bigint NOT NULL DEFAULT 0 CHECK (high_water >= 0)
);
INSERT INTO privacy.store DEFAULT VALUES;

-- Key-encryption keys, wrapped by the root. The highest epoch wraps what is new.
CREATE TABLE privacy.kek (
    epoch      int PRIMARY KEY CHECK (epoch > 0),
    wrapped    bytea NOT NULL CHECK (octet_length(wrapped) = 80),
    created_at timestamptz NOT NULL DEFAULT transaction_timestamp()
);

-- Index keys and salt keys.
CREATE TABLE privacy.secret (
    purpose    text NOT NULL CHECK (purpose IN ('subject-index', 'token-index', 'salt')),
    name       text NOT NULL COLLATE "C",
    kek_epoch  int NOT NULL REFERENCES privacy.kek,
    wrapped    bytea NOT NULL CHECK (octet_length(wrapped) = 48),
    created_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (purpose, name)
);

-- A person, an account, or a source (for tables without a person). `generation` is the one new cells are sealed under.
CREATE TABLE privacy.subject (
    id         bytea PRIMARY KEY CHECK (octet_length(id) = 16),
    type       text NOT NULL COLLATE "C",
    digest     bytea NOT NULL CHECK (octet_length(digest) = 32),
    generation int NOT NULL DEFAULT 1 CHECK (generation BETWEEN 1 AND 65535),
    status     text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    created_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
    UNIQUE (type, digest)
);

CREATE TABLE privacy.data_key (
    subject    bytea NOT NULL REFERENCES privacy.subject,
    tier       smallint NOT NULL CHECK (tier BETWEEN 0 AND 255),
    generation int NOT NULL CHECK (generation BETWEEN 1 AND 65535),
    kek_epoch  int NOT NULL REFERENCES privacy.kek,
    wrapped    bytea NOT NULL CHECK (octet_length(wrapped) = 80),
    created_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (subject, tier, generation)
);

-- One token for one value of a domain. The value itself is in value_cell, under tier 0 of the subject it first came with.
CREATE TABLE privacy.token (
    domain     text NOT NULL COLLATE "C",
    digest     bytea NOT NULL CHECK (octet_length(digest) = 32),
    token      text NOT NULL UNIQUE COLLATE "C" CHECK (token ~ '^tok_[0-9a-f]{32}$'),
    value_cell bytea NOT NULL,
    subject    bytea NOT NULL REFERENCES privacy.subject,
    generation int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (domain, digest)
);
CREATE INDEX token_subject ON privacy.token (subject);

-- The worker's role adds, and never changes or deletes what is there; key-encryption keys are made by the owner.
REVOKE ALL ON ALL TABLES IN SCHEMA privacy FROM PUBLIC;
GRANT USAGE ON SCHEMA privacy TO cdc_privacy;
GRANT SELECT ON privacy.store, privacy.kek, privacy.secret, privacy.subject, privacy.data_key, privacy.token TO cdc_privacy;
GRANT INSERT ON privacy.secret, privacy.subject, privacy.data_key, privacy.token TO cdc_privacy;
GRANT UPDATE (high_water) ON privacy.store TO cdc_privacy;

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO cdc_privacy', current_database());
END
$$;
