"""Access control: whose token it is, which organizations and actions it names, and whether that covers a call."""
