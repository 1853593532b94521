"""Secrets of this installation: made at first use, kept in the data directory, closed to others."""

import os
import secrets
import tempfile
from pathlib import Path


def kept_secret(path: Path, num_bytes: int = 32) -> str:
    """What the file holds; random URL-safe text of `num_bytes` when there is no file yet. OSError.

    Processes and threads that ask at the same time all get the same.
    """
    if not path.exists():
        descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        draft = Path(name)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(num_bytes))
        # A link, not a rename: of two that start together one wins for both.
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
