-- What capture needs on a MariaDB server: run as root, once. The account `cdc_capture` gets its password where the connector's
-- secret is made: ALTER USER cdc_capture@'%' IDENTIFIED BY '…';

-- In the server's option file, under [mariadbd]: log-bin, binlog-format = ROW, binlog-row-image = FULL, a server-id of its own, and
-- binlog_expire_logs_seconds longer than the longest outage: what is purged before Debezium read it is lost.

CREATE DATABASE IF NOT EXISTS cdc CHARACTER SET utf8mb4;

-- Updated by the connector on every heartbeat. `system_identifier` is made here, once, and stays with the data; `timeline` is the GTID
-- domain and the server id, with which every GTID of this server begins: another server's transactions stop the stream.
CREATE TABLE IF NOT EXISTS cdc.heartbeat (
    id                 int PRIMARY KEY,
    beat_at            timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    system_identifier  varchar(36) NOT NULL,
    timeline           varchar(32) NOT NULL
);
INSERT IGNORE INTO cdc.heartbeat (id, beat_at, system_identifier, timeline)
VALUES (1, now(6), uuid(), concat(@@gtid_domain_id, '-', @@server_id));

-- Debezium's signalling table (its documentation, "Sending signals to a Debezium connector").
CREATE TABLE IF NOT EXISTS cdc.`signal` (
    id    varchar(42) PRIMARY KEY,
    type  varchar(32) NOT NULL,
    data  varchar(2048)
);

-- Reading all tables, the binary log (as a replica does), and one global read lock for the moment in which a snapshot begins.
CREATE USER IF NOT EXISTS cdc_capture@'%' ACCOUNT LOCK;
GRANT SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO cdc_capture@'%';
GRANT UPDATE ON cdc.heartbeat TO cdc_capture@'%';
GRANT INSERT ON cdc.`signal` TO cdc_capture@'%';
