"""The corridor: one module per thing the service does, each a function of a command and the ports it needs."""
