"""A second reading of docs/formats.md: the standard library only, and nothing of what this project runs.

It exists to disagree. End-to-end tests and the demo hand it the rows of a log; the test vectors are made by it.
"""
