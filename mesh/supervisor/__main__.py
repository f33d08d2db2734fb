"""`python -m mesh.supervisor`: the mesh without a terminal, as `nexus up --detach` starts it."""

from __future__ import annotations

import sys

from mesh.supervisor.background import main

sys.exit(main())
