-- Orders and what became of them.

CREATE TABLE orders (
    order_id       bigint PRIMARY KEY,
    customer_id    bigint NOT NULL REFERENCES customers ON UPDATE CASCADE,
    account_id     bigint NOT NULL REFERENCES accounts,
    symbol         text NOT NULL REFERENCES instruments ON UPDATE CASCADE,
    side           text NOT NULL CHECK (side IN ('buy', 'sell', 'sell short')),
    quantity       numeric(28, 10) NOT NULL,
    limit_price    numeric,                            -- no declared scale; null for a market order
    status         text NOT NULL CHECK (status IN ('new', 'partially filled', 'filled', 'cancelled', 'rejected')),
    placed_at      timestamptz(6) NOT NULL,
    good_till      timestamptz,                        -- 'infinity' for good-till-cancelled
    client_note    text                                -- free text as the customer typed it
);
CREATE INDEX orders_customer ON orders (customer_id);

CREATE TABLE executions (
    order_id      bigint NOT NULL REFERENCES orders ON UPDATE CASCADE,
    execution_no  integer NOT NULL,
    price         numeric NOT NULL,
    quantity      numeric(28, 10) NOT NULL,
    venue         text NOT NULL,
    liquidity     char(1),
    executed_at   timestamptz(6) NOT NULL,
    notional      numeric GENERATED ALWAYS AS (price * quantity) STORED,
    PRIMARY KEY (order_id, execution_no)
);

CREATE TABLE allocations (
    order_id       bigint NOT NULL REFERENCES orders ON UPDATE CASCADE,
    account_id     bigint NOT NULL REFERENCES accounts,
    customer_id    bigint NOT NULL REFERENCES customers ON UPDATE CASCADE,
    quantity       numeric(28, 10) NOT NULL,
    average_price  numeric NOT NULL,
    allocated_at   timestamptz NOT NULL,
    PRIMARY KEY (order_id, account_id)
);

-- What the order router did. No key, and identical rows are legal: a venue repeats itself.
CREATE TABLE order_events (
    order_id     bigint,
    event        text,
    detail       jsonb,
    occurred_at  timestamptz
);

-- Recomputed from scratch several times a day.
CREATE TABLE intraday_margin (
    account_id   bigint PRIMARY KEY,
    required     numeric NOT NULL,
    available    numeric NOT NULL,
    computed_at  timestamptz NOT NULL
);
