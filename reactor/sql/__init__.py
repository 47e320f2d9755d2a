"""SQL assets: what a query reads, and the running of it.

Knows: queries as text, tables by name, and how each kind of database swaps a table's rows whole.
Refuses to know: pipelines, and when or why anything runs.
"""
