-- What is traded, and at which prices.

CREATE TABLE instruments (
    symbol     text PRIMARY KEY,
    isin       char(12) NOT NULL,
    name       text NOT NULL,
    currency   char(3) NOT NULL DEFAULT 'USD',
    tick_size  numeric NOT NULL,
    listed_on  date NOT NULL,
    active     boolean NOT NULL DEFAULT true
);

-- A large public document, stored out of line and compressed (the default storage).
CREATE TABLE prospectuses (
    symbol        text NOT NULL REFERENCES instruments ON UPDATE CASCADE,
    edition       integer NOT NULL,
    body          text NOT NULL,
    downloads     bigint NOT NULL DEFAULT 0,           -- changes often; the body stays where it is
    published_at  timestamp NOT NULL,
    PRIMARY KEY (symbol, edition)
);

-- Append-heavy: by far the most rows.
CREATE TABLE market_ticks (
    tick_id    bigint PRIMARY KEY,
    symbol     text NOT NULL,
    bid        numeric(18, 8) NOT NULL,
    ask        numeric(18, 8) NOT NULL,
    size       integer NOT NULL,
    quoted_at  timestamptz(6) NOT NULL
);

-- Landing area of the consolidated tape: no key, filled and truncated all day.
CREATE TABLE tape_staging (
    symbol     text,
    price      numeric,
    size       integer,
    printed_at timestamptz
);
