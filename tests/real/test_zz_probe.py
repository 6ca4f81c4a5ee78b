from tests.fix_mariadb import maria_source
def test_probe(stack, mariadb):
    with maria_source(stack, mariadb) as s:
        def make(p):
            s.run(f"CREATE TABLE {p}1 (a int NULL, b int NOT NULL, UNIQUE x(a), UNIQUE y(b))",
                  f"CREATE TABLE {p}2 (a int NULL, b int, UNIQUE x(a))",
                  f"CREATE TABLE {p}3 (p int NOT NULL, q int NOT NULL, UNIQUE z(p), UNIQUE a(q))",
                  f"CREATE TABLE {p}4 (p int NOT NULL UNIQUE, q int)",
                  f"CREATE TABLE {p}5 (p int NOT NULL, q int)",
                  f"CREATE UNIQUE INDEX i ON {p}5 (p)",
                  f"CREATE TABLE {p}6 (p int NOT NULL, q int)",
                  f"ALTER TABLE {p}6 ADD UNIQUE KEY u (p)",
                  f"CREATE TABLE {p}7 (p int NOT NULL, q text NOT NULL, UNIQUE KEY u (q(10)), UNIQUE KEY v (p))",
                  f"CREATE TABLE {p}8 (p int UNIQUE, q int)",
                  f"CREATE TABLE {p}9 (p int NULL, q int not null, UNIQUE KEY (q,p))",
                  )
            for n in range(1,10):
                s.run(f"INSERT INTO {p}{n} VALUES (1,1)", f"INSERT INTO {p}{n} VALUES (2,2)")
        make("s")
        s.run("CREATE TABLE v (id int primary key, a int, b int as (a+1) virtual, c int as (a+2) stored, inv int invisible)", "INSERT INTO v(id,a) VALUES (1,1)")
        s.declare(f"source: {s.name}\ntables:\n  cdc.heartbeat: {{columns: {{id: clear, beat_at: clear, system_identifier: clear, timeline: clear}}}}\n")
        s.apply(); s.wait()
        make("t")
        s.run("INSERT INTO v(id,a) VALUES (2,2)", "UPDATE v SET a=5 where id=1")
        s.wait()
        print(s.warehouse.query("SELECT table_name, key FROM pipeline.state_table ORDER BY 1"))
        print(s.warehouse.query(f'SELECT id FROM {s.name}."{s.name}.v"'))
        print(s.warehouse.query(f"SELECT entry FROM audit.entry WHERE table_name like '%.v'"))
