-- Whose money is managed. A client who also trades is found in the trading database by e-mail or tax id.

CREATE TABLE clients (
    client_id      bigint PRIMARY KEY,
    full_name      text NOT NULL,
    email          text NOT NULL,
    tax_id         text,
    phone          text,
    date_of_birth  date,
    address        text,
    segment        text NOT NULL DEFAULT 'retail',
    reference      uuid NOT NULL,
    onboarded_at   timestamptz NOT NULL
);

CREATE TABLE portfolios (
    portfolio_id   bigint PRIMARY KEY,
    client_id      bigint NOT NULL REFERENCES clients ON UPDATE CASCADE,
    title          text NOT NULL,                      -- often the family's name
    base_currency  char(3) NOT NULL DEFAULT 'USD',
    strategy       text NOT NULL,
    discretionary  boolean NOT NULL,
    opened_on      date NOT NULL
);

-- Personal data in a composite key.
CREATE TABLE beneficiaries (
    portfolio_id  bigint NOT NULL REFERENCES portfolios,
    email         text NOT NULL,
    client_id     bigint NOT NULL REFERENCES clients ON UPDATE CASCADE,
    full_name     text NOT NULL,
    share         numeric(9, 6) NOT NULL,
    relationship  text,
    named_on      date NOT NULL,
    PRIMARY KEY (portfolio_id, email)
);

-- Half-yearly statements: a large text and its rendering, both out of line.
CREATE TABLE statements (
    statement_id  bigint PRIMARY KEY,
    client_id     bigint NOT NULL REFERENCES clients ON UPDATE CASCADE,
    portfolio_id  bigint NOT NULL REFERENCES portfolios,
    period_start  date NOT NULL,
    period_end    date NOT NULL,
    body          text NOT NULL,
    rendering     bytea,
    delivered     boolean NOT NULL DEFAULT false,
    issued_at     timestamptz NOT NULL
);
ALTER TABLE statements ALTER COLUMN body SET STORAGE EXTERNAL;
