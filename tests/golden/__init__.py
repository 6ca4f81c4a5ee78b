"""Records captured from a real Debezium, and the script that captured them."""
