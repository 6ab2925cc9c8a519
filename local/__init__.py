"""The local stack: a real deployment of template.yaml on this machine, without Docker."""
