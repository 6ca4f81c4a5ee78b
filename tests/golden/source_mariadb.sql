-- What golden records are captured from on MariaDB. Run by capture_mariadb.py, as root, in a new database `golden`, beside what
-- sql/source/mariadb/capture.sql makes. sql_mode is empty, because zero dates are among it.

CREATE TABLE account (id bigint PRIMARY KEY, owner varchar(80), balance decimal(20, 4));
CREATE TABLE composite (region varchar(8), id int, v text, PRIMARY KEY (id, region));
CREATE TABLE empty_one (id int PRIMARY KEY);
CREATE TABLE keyless (a int, b varchar(20));
CREATE TABLE unique_only (a int NOT NULL UNIQUE, b text);
CREATE TABLE unique_null (a int UNIQUE, b text);
CREATE TABLE `Mixed Case` (`Id` int PRIMARY KEY, `select` text);
CREATE TABLE counted (id int PRIMARY KEY AUTO_INCREMENT, name varchar(20) UNIQUE NOT NULL, n int NOT NULL DEFAULT 1);
CREATE TABLE evolving (id int PRIMARY KEY, a int, b varchar(10));
CREATE TABLE fence (id int PRIMARY KEY);
CREATE TABLE parted (id int, at date, v text, PRIMARY KEY (id, at))
    PARTITION BY RANGE (year(at)) (PARTITION p2025 VALUES LESS THAN (2026), PARTITION p2026 VALUES LESS THAN (2027));

CREATE TABLE numbers (
    id int PRIMARY KEY, c_tiny tinyint, c_utiny tinyint unsigned, c_usmall smallint unsigned, c_medium mediumint, c_umedium mediumint unsigned,
    c_uint int unsigned, c_zerofill int(8) unsigned zerofill, c_big bigint, c_ubig bigint unsigned, c_decimal decimal(65, 30),
    c_udecimal decimal(10, 2) unsigned, c_float float, c_double double, c_boolean boolean, c_bit1 bit(1), c_bit9 bit(9), c_bit64 bit(64),
    c_default int NOT NULL DEFAULT 7, c_generated int GENERATED ALWAYS AS (id * 2) STORED
);
CREATE TABLE times (
    id int PRIMARY KEY, c_date date, c_date_needed date NOT NULL, c_datetime datetime, c_datetime6 datetime(6), c_timestamp timestamp NULL,
    c_timestamp6 timestamp(6) NULL, c_time time, c_time6 time(6), c_year year
);
CREATE TABLE texts (
    id int PRIMARY KEY, c_varchar varchar(80), c_char char(6), c_latin1 varchar(40) CHARACTER SET latin1, c_ucs2 varchar(40) CHARACTER SET ucs2,
    c_text longtext, c_enum enum('a', 'b''c', 'd,e', 'ü'), c_set set('x', 'y', 'z z'), c_json json, c_binary binary(4), c_varbinary varbinary(9),
    c_blob blob
);
CREATE TABLE places (id int PRIMARY KEY, c_point point, c_geometry geometry);

INSERT INTO account VALUES (1, 'Ada Lovelace', 100.5), (2, 'Ōe "Kenzaburō" \\ 😀\n\t', -0.0001), (3, NULL, NULL);
INSERT INTO composite VALUES ('EU', 1, 'eins'), ('US', 1, 'one');
INSERT INTO keyless VALUES (1, 'same'), (1, 'same');
INSERT INTO evolving VALUES (1, 10, 'ten');
INSERT INTO parted VALUES (1, '2025-05-05', 'p');
