"""``python -m reporter``: checking and rendering templates on one's own machine."""

import sys

from reporter.command_line import main

sys.exit(main(sys.argv[1:]))
