"""The oracle of every end-to-end test. It imports nothing of this project: what it says is a second opinion.

* `tables.compare_clear`: a table's clear columns, source against warehouse, byte for byte
* `comparison.compare_source`, `comparison.open_protected`: whole databases, protected columns opened by other code
* `topic.read_topic`: what a topic holds, through a reader of its own
* `wal.decode`: what a source committed, from PostgreSQL's own logical decoding, without Debezium
* `sweep.sweep`: where a value occurs in files and dumps, in whatever encoding
* `evidence`, `leaks`, `again`: the same as programs, for the demo: a line for each claim that holds
"""
