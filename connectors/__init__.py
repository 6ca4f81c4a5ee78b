"""Debezium connectors: ten-line definitions, the evidence-grade configuration made of them, and Connect's REST.

Nothing here knows the replicator; the way in is :func:`connectors.definition.load` and :func:`connectors.apply.apply`.
"""
