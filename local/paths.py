"""Where things of the local stack lie."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("REPORTER_STATE") or ROOT / ".local")
"""The tests have a folder of their own, so that they leave a stack that is up alone."""
URL = STATE / "url"
LOGS = STATE / "stack.log"
SAM = ROOT / ".venv-sam" / "bin" / "sam"
MINISTACK = ROOT / ".venv-stack" / "bin" / "ministack"
BUILD = ROOT / ".aws-sam" / "build"
REGION = "us-east-1"
STAGE = "local"
STACK = "reporter-local"
