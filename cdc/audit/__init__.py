"""The auditor's questions to a warehouse, and the check of what it answers. Reads only; never reaches the writer."""
