"""Reporter: reports on demand.

Importing this package imports nothing else: a cold start pays for what it uses.
"""
