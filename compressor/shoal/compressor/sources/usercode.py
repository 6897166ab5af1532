"""Where an error happened in code that is neither ours nor a library's."""

import traceback
from pathlib import Path
from typing import Final

_NOT_THEIRS: Final = (
    *("/shoal/compressor/", "/lib/python", "/site-packages/", "/dist-packages/"),
    *("<frozen", "<string"),
)


def place(error: BaseException) -> str | None:
    """`file:line:column` of the innermost line of the user's own, or None where there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno or 1}:{error.offset or 1}"
    here = Path.cwd()
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(part in frame.filename for part in _NOT_THEIRS)
    ]
    near = [frame for frame in own if Path(frame.filename).is_relative_to(here)]
    own = near or own
    if not own:
        return None
    return f"{own[-1].filename}:{own[-1].lineno or 1}:{(own[-1].colno or 0) + 1}"
