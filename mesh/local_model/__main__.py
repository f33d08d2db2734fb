"""`python -m mesh.local_model`: serves the local models; configured by `NEXUS_LOCAL_MODEL_*`."""

import sys

from pydantic import ValidationError

from mesh.local_model.errors import LocalModelError
from mesh.local_model.serve import report, serve
from mesh.local_model.settings import LocalModelSettings


def main() -> int:
    """Serves until told to stop. Returns only when that is not possible: 78, for a wrong configuration."""
    try:
        serve(LocalModelSettings())  # pyright: ignore[reportCallIssue] - filled from the environment
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        report(LocalModelError(f"The settings are wrong: {problems}.", "Check the NEXUS_LOCAL_MODEL_* variables."))
    except LocalModelError as error:
        report(error)
    return 78


if __name__ == "__main__":
    sys.exit(main())
