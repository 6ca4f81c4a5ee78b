"""What all tests share: real services as fixtures, and what to do where one is missing."""

pytest_plugins = ["tests.fix_stack", "tests.fix_replication", "tests.fix_mariadb", "tests.fix_privacy"]
