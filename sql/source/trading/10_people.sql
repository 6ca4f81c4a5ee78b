-- Who trades: customers, their accounts, and the addresses they can be reached at.
-- Customer keys are updated in place now and then (two records of one person are merged), so references follow.

CREATE TABLE customers (
    customer_id    bigint PRIMARY KEY,
    full_name      text NOT NULL,
    email          text NOT NULL,
    phone          text,
    ssn            text,
    date_of_birth  date,
    address        text,
    tax_residence  char(2) NOT NULL DEFAULT 'US',
    risk_class     smallint NOT NULL DEFAULT 3,
    is_exposed     boolean NOT NULL DEFAULT false,     -- politically exposed person
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL
);
CREATE INDEX customers_email ON customers (email);

CREATE TABLE accounts (
    account_id      bigint PRIMARY KEY,
    customer_id     bigint NOT NULL REFERENCES customers ON UPDATE CASCADE,
    account_number  text NOT NULL UNIQUE,
    account_type    text NOT NULL CHECK (account_type IN ('cash', 'margin', 'ira', 'joint')),
    currency        char(3) NOT NULL DEFAULT 'USD',
    opened_on       date NOT NULL,
    closed_on       date NOT NULL DEFAULT 'infinity',  -- 'infinity' while the account is open
    balance         numeric(20, 4) NOT NULL DEFAULT 0,
    margin_ratio    numeric,                           -- no declared scale: every digit counts; NaN when undefined
    updated_at      timestamptz(6) NOT NULL
);
CREATE INDEX accounts_customer ON accounts (customer_id);

-- Personal data in the key. A prospect has a contact point before being a customer: customer_id is then null.
CREATE TABLE contact_points (
    email        text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('primary', 'statements', 'alerts', 'prospect')),
    customer_id  bigint REFERENCES customers ON UPDATE CASCADE ON DELETE CASCADE,
    label        text,
    verified     boolean NOT NULL DEFAULT false,
    added_at     timestamptz NOT NULL,
    PRIMARY KEY (email, kind)
);
CREATE INDEX contact_points_customer ON contact_points (customer_id);
