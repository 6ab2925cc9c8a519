"""The AWS clients, made once per container and shared."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

AWS_ERRORS = (ClientError, BotoCoreError)
"""What a call through any client can raise. Neither leaves the annex."""

_CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})
# Without both of these boto3 signs presigned URLs with SigV2 or for the global host.
_S3_CONFIG = _CONFIG.merge(
    Config(signature_version="s3v4", s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"})
)
# A function answers within the gateway's 29 seconds, a cold start included; whoever asks it comes back by itself.
_LAMBDA_CONFIG = _CONFIG.merge(Config(read_timeout=35, retries={"mode": "standard", "total_max_attempts": 1}))
_CONFIGS = {"s3": _S3_CONFIG, "lambda": _LAMBDA_CONFIG}


@cache
def client(service: str) -> Any:
    """The client for a service, with bounded time and retries, and current signatures."""
    make: Any = boto3.client
    return make(service, config=_CONFIGS.get(service, _CONFIG))


def error_code(error: BaseException) -> str:
    """AWS's code of an error, e.g. ``ConditionalCheckFailedException``; empty where there is none."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
