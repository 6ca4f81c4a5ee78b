-- The password of the connector's role. Run at the first start, and again when the password is replaced (docs/deploy.md).
-- psql reads it from the secret's file: it is in no argument list and no environment.
\set secret `cat /run/secrets/debezium`
ALTER ROLE debezium PASSWORD :'secret';
