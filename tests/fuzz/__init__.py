"""Differential fuzzing: random schemas and random changes in a real database, through Debezium and a worker, compared as text.

``scenario``    one numbered, seeded schema: how it is made, what it holds, what is done to it
``postgres``    what PostgreSQL has: types with literals, and statements; another database is another module with the same names
``run``         many scenarios in one database under one connector, and what was found
``__main__``    ``python -m tests.fuzz``: as many as you like, resumable, one alone by its number
"""
