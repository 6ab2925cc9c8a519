"""The kinds of data sources: each finds its schema and streams rows, with the conditions pushed down."""
