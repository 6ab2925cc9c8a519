"""What the performance table in the README is made with. ``make bench`` prints it; ratios first, for they travel."""
