"""Everything that ``cdc check`` looks at: sources, connectors, Kafka, Connect, warehouse and privacy store.

Each part is looked at alone: one that does not answer is a finding, and the others are looked at all the same.
"""
