"""`python -m handlers.upload`."""

import sys

from handlers.upload.command import main

sys.exit(main(sys.argv[1:]))
