"""The fonts of documents in PDF, with their licences, and what fontconfig has to know about them."""
