"""The key items of the idempotency table: what a key is bound to, written together with the record itself."""

from collections.abc import Mapping
from typing import Any

from reporter.aws.clients import AWS_ERRORS, client, error_code
from reporter.aws.items import item, values
from reporter.errors import Unavailable
from reporter.idempotency import KeyReserved, Reservation


def add_with_reservation(idempotency_table: str, reservation: Reservation, table: str, record: Mapping[str, Any]) -> None:
    """Put ``record`` (attributes with an ``id``) and the key item, both or neither.

    Raises ``KeyReserved`` when the key is bound and has not expired (times are compared in the condition: DynamoDB
    removes expired items days later), ``Unavailable`` for everything else.
    """
    key_item = {
        "id": reservation.reservation_id,
        "recordId": reservation.record_id,
        "contentHash": reservation.content_hash,
        "expiration": reservation.expires,
    }
    try:
        client("dynamodb").transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": idempotency_table,
                        "Item": item(key_item),
                        "ConditionExpression": "attribute_not_exists(id) OR expiration < :now",
                        "ExpressionAttributeValues": item({":now": reservation.now}),
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
                {
                    "Put": {
                        "TableName": table,
                        "Item": record,
                        "ConditionExpression": "attribute_not_exists(id)",
                    }
                },
            ]
        )
    except AWS_ERRORS as error:
        if error_code(error) == "TransactionCanceledException":
            bound = bound_to(idempotency_table, reservation.reservation_id, reservation.now)
            if bound is not None:
                raise bound from None
        raise Unavailable("the report store") from error


def bound_to(idempotency_table: str, reservation_id: str, now: int) -> KeyReserved | None:
    """What the key is bound to at ``now``, consistently read. Raises ``Unavailable``."""
    try:
        answer = client("dynamodb").get_item(
            TableName=idempotency_table, Key=item({"id": reservation_id}), ConsistentRead=True
        )
    except AWS_ERRORS as error:
        raise Unavailable("the idempotency table") from error
    found = values(answer.get("Item", {}))
    if not found or found["expiration"] < now:
        return None
    return KeyReserved(found["recordId"], found["contentHash"], found["expiration"])


def release(idempotency_table: str, reservation_id: str, record_id: str) -> None:
    """Unbind a key from a record that is gone; nothing happens when it is bound to another by now."""
    try:
        client("dynamodb").delete_item(
            TableName=idempotency_table,
            Key=item({"id": reservation_id}),
            ConditionExpression="attribute_not_exists(id) OR recordId = :record",
            ExpressionAttributeValues=item({":record": record_id}),
        )
    except AWS_ERRORS as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise Unavailable("the idempotency table") from error
