"""A second reading of docs/formats.md: nothing of what this project runs. Entries, leaves and trees: with the
standard library alone.

It exists to disagree. End-to-end tests and the demo hand it the rows of a log; the test vectors are made by it.
"""
