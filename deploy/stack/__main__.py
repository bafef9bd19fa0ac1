"""``python -m deploy.stack`` fetches what the stack runs and is missing, ahead of the first start."""

import sys

from deploy.stack.programs import main

sys.exit(main())
