"""Reporter: reports on demand. Importing this package imports nothing else, so that a cold start pays for what it uses."""
