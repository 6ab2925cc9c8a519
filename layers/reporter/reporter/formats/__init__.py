"""Formats: what makes the text of a template into the bytes of a document, and what checks those bytes."""
