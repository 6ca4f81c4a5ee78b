INSERT INTO public.country (country) VALUES ('Schweiz'), ('Perú');
INSERT INTO public.city (city, country_id) VALUES ('Zürich-Altstetten', 1), ('Arequipa', 2);
INSERT INTO public.address (address, address2, district, city_id, postal_code, phone)
SELECT 'Canary Street ' || n, NULLIF('flat ' || n, 'flat 3'), 'District nine', 1 + n % 2, '80' || n, '+41-44-555-01' || n FROM generate_series(1, 20) AS n;
INSERT INTO public.language (name) VALUES ('English'), ('Deutsch');
INSERT INTO public.film (title, description, release_year, language_id, rating, special_features, also_rated, scores)
SELECT 'Film ' || n, 'A "quoted" \ drama of a dog' || chr(9) || 'and a cat', 1980 + n, 1 + n % 2, (enum_range(NULL::public.mpaa_rating))[1 + n % 5],
       CASE WHEN n % 3 > 0 THEN ARRAY['Trailers', 'Deleted "Scenes", \', NULL] END, ARRAY['PG', 'R']::public.mpaa_rating[], ARRAY[n, NULL, -n]
  FROM generate_series(1, 30) AS n;
INSERT INTO public.actor (first_name, last_name) SELECT 'Penelope' || n, 'Guinness-Canary' FROM generate_series(1, 10) AS n;
INSERT INTO public.film_actor SELECT a, f FROM generate_series(1, 10) AS a, generate_series(1, 30) AS f WHERE (a + f) % 4 = 0;
BEGIN;
INSERT INTO public.store (manager_staff_id, address_id) VALUES (1, 1);
INSERT INTO public.staff (first_name, last_name, address_id, email, store_id, username, password, picture)
VALUES ('Mike', 'Hillyer-Canary', 3, 'mike.canary@sakila.example', 1, 'mike.login.canary', '8cb2237d0679ca88db6464eac60da963', decode('89504e470d0a5a0acafe', 'hex'));
COMMIT;
INSERT INTO public.customer (store_id, first_name, last_name, email, address_id, preferences, last_seen_from)
SELECT 1, 'Mary' || n, 'Smith-Canary' || n, 'mary.' || n || '@canary.example', 1 + n % 20, jsonb_build_object('n', n, 'tag', 'jsonb-canary-value'), '10.1.2.3'::inet + n
  FROM generate_series(1, 50) AS n;
INSERT INTO public.inventory (film_id, store_id) SELECT n, 1 FROM generate_series(1, 30) AS n;
INSERT INTO public.rental (rental_date, inventory_id, customer_id, staff_id)
SELECT '2022-01-05 10:00:00.25+00'::timestamptz + n * interval '1 day', 1 + n % 30, 1 + n % 50, 1 FROM generate_series(1, 60) AS n;
INSERT INTO public.payment (customer_id, staff_id, rental_id, amount, payment_date)
SELECT 1 + n % 50, 1 + n % 2, 1 + n % 60, 1.99 + n, '2022-01-02'::timestamptz + n * interval '1 day' FROM generate_series(0, 49) AS n;
INSERT INTO "NorthWind"."Customers" SELECT 'ALF' || chr(65 + n) || 'K', 'Alfreds Canary ' || n, 'Maria Anders-Canary', 'Obere Canary 57', 'Berlin', '030-0074321' FROM generate_series(1, 9) AS n;
INSERT INTO "NorthWind"."Employees" VALUES (1, 'Fuller-Canary', 'Andrew', '1952-02-19', 'Andrew received his canary BTS', NULL), (2, 'Davolio-Canary', 'Nancy', '1948-12-08', NULL, 1);
INSERT INTO "NorthWind"."Products" SELECT n, 'Chai ' || n, n / 3.0, n % 2 FROM generate_series(1, 8) AS n;
INSERT INTO "NorthWind"."Orders" SELECT n, 'ALF' || chr(65 + 1 + n % 9) || 'K', 1 + n % 2, '1996-07-04'::date + n, n / 7.0, 'Vins et alcools Canary' FROM generate_series(1, 40) AS n;
INSERT INTO "NorthWind"."Order Details" SELECT o, p, p / 3.0, o, 0 FROM generate_series(1, 40) AS o, generate_series(1, 8) AS p WHERE (o + p) % 3 = 0;
INSERT INTO "NorthWind"."Territories" SELECT '0158' || n, 'Westboro Canary ' || n FROM generate_series(1, 5) AS n;
INSERT INTO "NorthWind"."EmployeeTerritories" SELECT 1 + n % 2, '0158' || n FROM generate_series(1, 5) AS n;
INSERT INTO ledger.tenant SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'Canary Holdings plc ' || n FROM generate_series(1, 3) AS n;
INSERT INTO ledger.account SELECT tenant_id, 'CH93-0076-2011-623' || n, '2020-02-29', n, n = 1, 'select canary ' || n, 171.50 FROM ledger.tenant, generate_series(1, 4) AS n;
INSERT INTO ledger.posting (tenant_id, account_number, amount, memo, at)
SELECT tenant_id, account_number, "order" / 3.0, 'memo canary for somebody', '1999-12-31 23:59:59.999999' FROM ledger.account;
INSERT INTO ledger.taxpayer VALUES (756123456789, true), (756987654321, false);
INSERT INTO ledger.currency VALUES ('CHF', 2), ('JPY', 0);
INSERT INTO ledger.rate VALUES ('CHF', 1), ('CHF', 1), ('JPY', 0.0057);
INSERT INTO ledger."odd.name, it's \ 100%" VALUES (1, 'odd canary value', 'and \ another', 7);
INSERT INTO ledger."say ""hi""" VALUES (1);
INSERT INTO ledger.said VALUES (1, 'x');
INSERT INTO ledger.vault VALUES (1, 'hidden canary row'), (2, 'shown canary row');
INSERT INTO ledger.session VALUES (1, 'unlogged canary');
INSERT INTO ledger.measure VALUES (1, 1);
INSERT INTO ledger.measure_2022 VALUES (2, 2);
INSERT INTO ledger.coupon VALUES (NULL, 'coupon canary'), (NULL, 'coupon canary 2');
INSERT INTO ledger.grid VALUES (1, '{{1,2},{3,4}}');
INSERT INTO ledger.virtual VALUES (1);
