"""The renderer: a process of its own with an empty environment, and one contained child per report."""
