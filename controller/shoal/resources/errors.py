"""Why a manifest was refused: every problem in it, not only the first.

InvalidError
└── ManifestError      a resource document is wrong   exit 2, HTTP 422
"""

from collections.abc import Sequence

from shoal.contract.problem import InvalidError, Problem


class ManifestError(InvalidError):
    """A document that breaks its schema; `problem` is the first of `problems`.

    `missing` are those of them that what somebody else applied to the same resource may mend.
    """

    def __init__(self, problems: Sequence[Problem], missing: Sequence[Problem] = ()) -> None:
        super().__init__(problems[0])
        self.problems = tuple(problems)
        self.missing = tuple(missing)
