-- A shop that nobody here designed: capitals, reserved words, a table without a key, a self-reference,
-- enums, sets, generated columns, and tables that cannot be captured, each for its reason.
CREATE TABLE `Customer` (
    `CustomerID` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `Full Name` varchar(120) NOT NULL,
    `e-mail` varchar(160) CHARACTER SET latin1 NOT NULL,
    born date,
    tier enum('none','silver, plated','gold') NOT NULL DEFAULT 'none',
    flags set('vip','late payer','x') NOT NULL DEFAULT '',
    credit decimal(12,2) unsigned ZEROFILL,
    picture blob,
    `position` point,
    created timestamp NOT NULL DEFAULT current_timestamp(),
    `größe` double,
    UNIQUE KEY (`e-mail`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE `order` (
    `select` bigint NOT NULL AUTO_INCREMENT,
    customer int unsigned NOT NULL,
    placed datetime(6) NOT NULL,
    total decimal(20,4) NOT NULL DEFAULT 0,
    vat decimal(20,4) GENERATED ALWAYS AS (total * 0.2) STORED,
    gross decimal(20,4) GENERATED ALWAYS AS (total * 1.2) VIRTUAL,
    note longtext CHARACTER SET utf8mb4,
    PRIMARY KEY (`select`),
    FOREIGN KEY (customer) REFERENCES `Customer` (`CustomerID`)
) ENGINE=InnoDB;
CREATE TABLE line (
    `order` bigint NOT NULL,
    no smallint unsigned NOT NULL,
    sku char(8) CHARACTER SET ascii NOT NULL,
    quantity int NOT NULL,
    _version int,
    PRIMARY KEY (`order`, no),
    FOREIGN KEY (`order`) REFERENCES `order` (`select`)
) ENGINE=InnoDB;
CREATE TABLE category (
    code varchar(20) NOT NULL PRIMARY KEY,
    parent varchar(20),
    title text,
    FOREIGN KEY (parent) REFERENCES category (code)
) ENGINE=InnoDB;
CREATE TABLE visit (
    at datetime,
    who int unsigned,
    url varchar(200),
    took time(3)
) ENGINE=InnoDB;
CREATE TABLE hits (
    url varchar(200)
) ENGINE=MyISAM;
CREATE TABLE only_unique (
    code varchar(10) NOT NULL,
    maybe varchar(10),
    n int,
    UNIQUE KEY b_unique (code),
    UNIQUE KEY a_unique (maybe)
) ENGINE=InnoDB;
CREATE TABLE wide_bits (
    id tinyint PRIMARY KEY,
    one bit(1),
    many bit(13),
    y year,
    j json,
    bin binary(4)
);
CREATE TABLE basket (
    id int PRIMARY KEY,
    customer int unsigned,
    FOREIGN KEY basket_customer (customer) REFERENCES `Customer` (`CustomerID`) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE device (
    id uuid PRIMARY KEY,
    label varchar(20)
);
CREATE TABLE priced (
    id int PRIMARY KEY,
    price decimal(9,2)
) WITH SYSTEM VERSIONING;
CREATE VIEW names AS SELECT `Full Name` FROM `Customer`;
CREATE SEQUENCE ticket;
CREATE TABLE two_unique (
    p int NOT NULL,
    q varchar(30) NOT NULL,
    UNIQUE KEY z (p),
    UNIQUE KEY a (q)
);
