-- What is held, what moved, and what it is worth. decimal(65, 30) is the widest decimal that MariaDB has.

CREATE TABLE positions (
    portfolio_id  bigint NOT NULL REFERENCES portfolios (portfolio_id),
    symbol        varchar(16) NOT NULL,
    quantity      decimal(38, 18) NOT NULL,
    cost_basis    decimal(65, 30),
    lots          json,
    as_of         datetime(6) NOT NULL,
    PRIMARY KEY (portfolio_id, symbol)
);

CREATE TABLE cash_movements (
    movement_id   char(36) PRIMARY KEY,
    portfolio_id  bigint NOT NULL REFERENCES portfolios (portfolio_id),
    client_id     bigint NOT NULL REFERENCES clients (client_id),
    amount        decimal(20, 4) NOT NULL,
    currency      char(3) NOT NULL,
    iban          varchar(40),
    reference     text,
    value_date    date NOT NULL,
    booked_at     timestamp(6) NOT NULL
);

CREATE TABLE prices (
    symbol      varchar(16) NOT NULL,
    priced_at   datetime(6) NOT NULL,
    price       decimal(65, 30) NOT NULL,
    vendor      varchar(200) NOT NULL,
    confidence  double,
    PRIMARY KEY (symbol, priced_at)
);

-- No key: the valuation engine only ever appends, and repeats itself after a restart.
CREATE TABLE valuation_log (
    portfolio_id     bigint,
    method           varchar(40),
    net_asset_value  decimal(65, 30),
    duration_ms      double,
    valued_at        datetime(6)
);

-- Accrued interest of the day; emptied by the end-of-day run.
CREATE TABLE daily_accruals (
    portfolio_id  bigint NOT NULL,
    accrual_date  date NOT NULL,
    amount        decimal(65, 30) NOT NULL,
    accrued_at    timestamp(6) NOT NULL,
    PRIMARY KEY (portfolio_id, accrual_date)
);
