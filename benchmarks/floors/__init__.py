"""The same work by hand, with the same rules for nulls, decimals and quoting: what our own is measured against."""
