"""Counts for CloudWatch, written to the log in its embedded metric format."""

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "Reporter"


class Meter:
    """Counts what happened to reports on one stage."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def count(self, name: str, number: int = 1) -> None:
        """Nothing is written for nothing."""
        if not number:
            return
        with single_metric(name=name, unit=MetricUnit.Count, value=number, namespace=NAMESPACE) as metric:
            metric.add_dimension(name="stage", value=self._stage)
