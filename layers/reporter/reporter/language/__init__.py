"""The template language: Jinja2 with the vocabulary of Django-like templates, exact numbers and plain data only."""
