"""A second reading of docs/formats.md: nothing of what this project runs, and but for AES itself the standard library only.

It exists to disagree. End-to-end tests and the demo hand it the rows of a log; the test vectors are made by it.
"""
