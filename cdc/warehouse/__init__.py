"""The SQL warehouse: tables, the one commit, typed current state, migrations. See ``sql/`` for what the database
enforces itself.
"""
