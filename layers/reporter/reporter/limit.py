"""What is said of a limit that was passed: one sentence for all of them."""

FEWER_ROWS = "choose fewer rows by filters, or a shorter period"


def passed(what: str, value: int, unit: str, advice: str, setting: str | None = None) -> str:
    """E.g. "the report reads more than 9 rows (MaxRows): choose fewer, or have the limit raised".

    ``setting``: the parameter of template.yaml that an operator can raise; None for what cannot be set.
    """
    said = f"{what} more than {value} {unit}"
    return f"{said} (fixed): {advice}" if setting is None else f"{said} ({setting}): {advice}, or have the limit raised"


def disk_full(error: OSError, written: int, of: str) -> str:
    """``written``: the bytes that there was room for."""
    what = f"the worker's disk ({error.strerror}) has no room for"
    return passed(what, written, f"bytes of {of}", FEWER_ROWS, "WorkerDiskMegabytes")
