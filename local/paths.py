"""Where things of the local stack lie."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"
URL = STATE / "url"
LOGS = STATE / "stack.log"
SAM = ROOT / ".venv-sam" / "bin" / "sam"
MINISTACK = ROOT / ".venv-stack" / "bin" / "ministack"
BUILD = ROOT / ".aws-sam" / "build"
REGION = "us-east-1"
STAGE = "local"
STACK = "reporter-local"
