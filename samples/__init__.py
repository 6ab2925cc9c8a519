"""A small bank ledger and the templates a bank would print from it."""
