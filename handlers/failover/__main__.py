"""`python -m handlers.failover`."""

import sys

from handlers.failover.command import main

sys.exit(main(sys.argv[1:]))
