"""The native stack: PostgreSQL, Kafka and Kafka Connect as plain processes on loopback, under one state folder."""
