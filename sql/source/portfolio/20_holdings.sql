-- What is held, what moved, and what it is worth.

CREATE TABLE positions (
    portfolio_id  bigint NOT NULL REFERENCES portfolios,
    symbol        text NOT NULL,
    quantity      numeric(38, 18) NOT NULL,
    cost_basis    numeric,
    lots          jsonb,
    as_of         timestamptz(6) NOT NULL,
    PRIMARY KEY (portfolio_id, symbol)
);

CREATE TABLE cash_movements (
    movement_id   uuid PRIMARY KEY,
    portfolio_id  bigint NOT NULL REFERENCES portfolios,
    client_id     bigint NOT NULL REFERENCES clients ON UPDATE CASCADE,
    amount        numeric(20, 4) NOT NULL,
    currency      char(3) NOT NULL,
    iban          text,                                -- the other side's account
    reference     text,                                -- remittance text, whatever the payer typed
    value_date    date NOT NULL,
    booked_at     timestamptz NOT NULL
);

-- Every digit as the vendor sent it: up to 30 and more, trailing zeros included, NaN for "no price".
CREATE TABLE prices (
    symbol      text NOT NULL,
    priced_at   timestamptz(6) NOT NULL,
    price       numeric NOT NULL,
    vendor      text NOT NULL,
    confidence  real,
    PRIMARY KEY (symbol, priced_at)
);

-- No key: the valuation engine only ever appends, and repeats itself after a restart.
CREATE TABLE valuation_log (
    portfolio_id     bigint,
    method           text,
    net_asset_value  numeric,
    duration_ms      double precision,
    valued_at        timestamptz
);

-- Accrued interest of the day; emptied by the end-of-day run.
CREATE TABLE daily_accruals (
    portfolio_id  bigint NOT NULL,
    accrual_date  date NOT NULL,
    amount        numeric NOT NULL,
    accrued_at    timestamptz NOT NULL,
    PRIMARY KEY (portfolio_id, accrual_date)
);
