import sys

from spot_optimizer.emulator.server import main

sys.exit(main())
