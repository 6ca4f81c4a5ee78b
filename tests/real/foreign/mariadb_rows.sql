INSERT INTO `Customer` (`Full Name`, `e-mail`, born, tier, flags, credit, picture, `position`, `größe`) VALUES
    ('Ada Canary-Lovelace', 'ada.canary@example.org', '1815-12-10', 'silver, plated', 'vip,x', 12.50, x'00ff10', st_geomfromtext('POINT(1 2)'), 1.5),
    ('Bo 🎉', 'bo@example.org', NULL, 'gold', '', NULL, NULL, NULL, -0.1),
    ('Cy', 'café@example.org', '2024-02-29', 'none', 'late payer', 0, x'', NULL, NULL);
INSERT INTO `order` (customer, placed, total, note) VALUES (1, '2024-02-29 23:59:59.999999', 10.5, 'canary note\nsecond line'), (2, '2025-01-01', 99999999.9999, NULL), (1, '1999-12-31 00:00:00', 0, '');
INSERT INTO line VALUES (1, 1, 'AB', 3, 7), (1, 2, 'CD', -1, NULL), (2, 65535, 'EF', 0, 1);
INSERT INTO category VALUES ('a', NULL, 'Root'), ('B', 'a', 'Canary category'), ('ç', 'B', NULL);
INSERT INTO visit VALUES ('2024-01-01', 1, '/canary/1', '25:00:00.5'), ('2024-01-01', 1, '/canary/1', '25:00:00.5'), (NULL, NULL, NULL, '-00:00:01');
INSERT INTO only_unique VALUES ('x', NULL, 1), ('y', 'm', 2), ('z', NULL, 3);
INSERT INTO wide_bits VALUES (1, b'1', b'1000000000001', 2024, '{"a": [1.10, null]}', x'01020304'), (-128, b'0', 0, 1901, NULL, x'00000000');
INSERT INTO basket VALUES (1, 1);
INSERT INTO device VALUES ('123e4567-e89b-12d3-a456-426655440000', 'x');
INSERT INTO priced VALUES (1, 9.99);
INSERT INTO two_unique VALUES (1, 'x'), (2, 'y');
