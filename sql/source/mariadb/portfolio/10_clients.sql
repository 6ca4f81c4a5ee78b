-- Whose money is managed: sql/source/portfolio in MariaDB's dialect. Text keys compare byte for byte.
-- No foreign key cascades: InnoDB changes such rows by itself, and no binary log has them. Times are UTC.

CREATE TABLE clients (
    client_id      bigint PRIMARY KEY,
    full_name      varchar(200) NOT NULL,
    email          varchar(200) NOT NULL,
    tax_id         varchar(40),
    phone          varchar(60),
    date_of_birth  date,
    address        text,
    segment        varchar(40) NOT NULL DEFAULT 'retail',
    reference      char(36) NOT NULL,
    onboarded_at   timestamp(6) NOT NULL
);

CREATE TABLE portfolios (
    portfolio_id   bigint PRIMARY KEY,
    client_id      bigint NOT NULL REFERENCES clients (client_id),
    title          varchar(300) NOT NULL,
    base_currency  char(3) NOT NULL DEFAULT 'USD',
    strategy       varchar(40) NOT NULL,
    discretionary  boolean NOT NULL,
    opened_on      date NOT NULL
);

-- Personal data in a composite key.
CREATE TABLE beneficiaries (
    portfolio_id  bigint NOT NULL REFERENCES portfolios (portfolio_id),
    email         varchar(200) NOT NULL,
    client_id     bigint NOT NULL REFERENCES clients (client_id),
    full_name     varchar(200) NOT NULL,
    share         decimal(9, 6) NOT NULL,
    relationship  text,
    named_on      date NOT NULL,
    PRIMARY KEY (portfolio_id, email)
);

-- Half-yearly statements: a large text and its rendering.
CREATE TABLE statements (
    statement_id  bigint PRIMARY KEY,
    client_id     bigint NOT NULL REFERENCES clients (client_id),
    portfolio_id  bigint NOT NULL REFERENCES portfolios (portfolio_id),
    period_start  date NOT NULL,
    period_end    date NOT NULL,
    body          mediumtext NOT NULL,
    rendering     mediumblob,
    delivered     boolean NOT NULL DEFAULT false,
    issued_at     timestamp(6) NOT NULL
);
