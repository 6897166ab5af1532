"""Every failure leaves as `{"error": {reason, message, …}}` with a status from one table."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shoal.contract.problem import (
    ConflictError,
    FailedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    Problem,
    ProblemError,
    UnreachableError,
)
from shoal.contract.reason import Reason
from shoal.controller.api import forms
from shoal.controller.api.refusals import FieldsTakenError
from shoal.controller.errors import GoneError
from shoal.resources import wording
from shoal.resources.errors import ManifestError

log = logging.getLogger(__name__)

# The first class that fits decides.
STATUS: tuple[tuple[type[ProblemError], int], ...] = (
    (GoneError, 410),
    (InvalidError, 422),
    (NotFoundError, 404),
    (ConflictError, 409),
    (UnreachableError, 503),
    (ForbiddenError, 403),
    (FailedError, 500),
    (ProblemError, 500),
)

_REASON_OF_STATUS = {404: Reason.NOT_FOUND, 403: Reason.FORBIDDEN}


class UnreadableError(InvalidError):
    """The request's body is not what it must be; `status` says how."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(Problem(reason=Reason.INVALID, message=message))
        self.status = status


def install(app: FastAPI) -> None:
    """Answer every exception of `app` in the contract's shape."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_parameters)
    app.add_exception_handler(Exception, _on_bug)


def answer(status: int, problems: Sequence[Problem]) -> JSONResponse:
    """The error body: the first problem, and where there are several, all of them."""
    body: dict[str, object] = {"error": problems[0].to_json()}
    if len(problems) > 1:
        body["problems"] = [problem.to_json() for problem in problems]
    return JSONResponse(body, status_code=status)


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    problems: Sequence[Problem] = (error.problem,)
    if isinstance(error, ManifestError | FieldsTakenError):
        problems = error.problems
    if isinstance(error, UnreadableError):
        return answer(error.status, problems)
    return answer(next(code for kind, code in STATUS if isinstance(error, kind)), problems)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    reason = _REASON_OF_STATUS.get(error.status_code, Reason.INVALID)
    message = f"{request.method} {request.url.path}: {error.detail}"
    response = answer(error.status_code, [Problem(reason=reason, message=message)])
    response.headers.update(error.headers or {})
    return response


async def _on_parameters(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return answer(
        422,
        [
            Problem(
                reason=Reason.INVALID,
                message=_told(str(one["loc"][-1]), one),
                field=str(one["loc"][-1]),
            )
            for one in error.errors()
        ],
    )


def _told(field: str, error: Mapping[str, Any]) -> str:
    """Nobody should have to read a pattern."""
    if error["type"] != "string_pattern_mismatch":
        return wording.sentence(field, error)
    meant = forms.MEANT[error["ctx"]["pattern"]]
    return f"{field} is {meant}, not {wording.shown(error['input'])}"


async def _on_bug(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    problem = Problem(
        reason=Reason.INTERNAL,
        message=f"the controller failed: {type(error).__name__}",
        hint="its log has the whole story",
    )
    return answer(500, [problem])
