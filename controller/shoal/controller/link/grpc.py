"""The device plane over gRPC."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import grpc
import grpc.aio

from shoal.contract import codec, digest, headers
from shoal.contract.limits import GRPC_CHUNK_BYTES, MESSAGE_BYTES
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
from shoal.controller.link import addresses
from shoal.controller.link.addresses import Address
from shoal.controller.link.plane import DevicePlane, FetchRange
from shoal.v1 import (
    artifact_pb2,
    desired_pb2,
    device_plane_pb2,
    device_plane_pb2_grpc,
    report_pb2,
    telemetry_pb2,
)

OPTION = "--listen-devices"
_ENROL = "/shoal.v1.DevicePlane/Enrol"
_RETRY_AFTER_S = 0.5  # told to devices that are sent away because the controller stops
_GRACE_S = 2.0
_OPTIONS: list[tuple[str, int]] = [
    ("grpc.so_reuseport", 0),  # a second controller on the port must fail, not share it
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
]

# The first class that fits decides; ProblemError itself is not raised.
_STATUS: tuple[tuple[type[ProblemError], grpc.StatusCode], ...] = (
    (InvalidError, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFoundError, grpc.StatusCode.NOT_FOUND),
    (ConflictError, grpc.StatusCode.ABORTED),
    (UnreachableError, grpc.StatusCode.UNAVAILABLE),
    (ForbiddenError, grpc.StatusCode.PERMISSION_DENIED),
    (FailedError, grpc.StatusCode.INTERNAL),
)

T = TypeVar("T")
if TYPE_CHECKING:
    # Generic for type checkers only.
    _Context = grpc.aio.ServicerContext[Any, Any]
    _Handler = grpc.RpcMethodHandler[Any, Any]


class GrpcServer:
    """A running server; `address` is where it really listens."""

    def __init__(self, server: grpc.aio.Server, service: "_Service", address: Address) -> None:
        self._server = server
        self._service = service
        self.address = address

    async def close(self) -> None:
        """Send watchers away, let calls in flight finish, then stop."""
        self._service.closing.set()
        await self._server.stop(_GRACE_S)


async def serve_grpc(plane: DevicePlane, listen: Address) -> GrpcServer:
    """Serve devices on `listen`; port 0 picks a free one.

    Raises:
        FailedError: the port is in use.
        InvalidError: this machine has no such address.
    """
    address = addresses.free(listen, OPTION)
    server = grpc.aio.server(interceptors=[_Authentication(plane)], options=_OPTIONS)
    service = _Service(plane)
    device_plane_pb2_grpc.add_DevicePlaneServicer_to_server(service, server)
    server.add_insecure_port(str(address))
    await server.start()
    return GrpcServer(server, service, address)


class _Authentication(grpc.aio.ServerInterceptor):
    """Lets a call through when its metadata proves the device; Enrol proves itself by its token."""

    def __init__(self, plane: DevicePlane) -> None:
        self._plane = plane

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "_Handler | None":
        if handler_call_details.method != _ENROL:
            metadata = dict(handler_call_details.invocation_metadata)
            device, secret = metadata.get(headers.DEVICE, ""), metadata.get(headers.SECRET, "")
            try:
                self._plane.authenticate(str(device), str(secret))
            except ForbiddenError as error:
                return _refusal(error)
        return await continuation(handler_call_details)


class _Service(device_plane_pb2_grpc.DevicePlaneServicer):
    """The service of device_plane.proto; the caller is already proven."""

    def __init__(self, plane: DevicePlane) -> None:
        self._plane = plane
        self.closing = asyncio.Event()

    async def Enrol(  # noqa: N802 - named by the protocol
        self, request: device_plane_pb2.EnrolRequest, context: "_Context"
    ) -> device_plane_pb2.EnrolResponse:
        async with _answering(context):
            response = await self._plane.enrol(codec.decode_enrol_request(request))
            return codec.encode_enrol_response(response)

    async def WatchDesired(  # noqa: N802 - named by the protocol
        self, _request: device_plane_pb2.Hello, context: "_Context"
    ) -> AsyncIterator[desired_pb2.DesiredState]:
        async with _answering(context):
            states = self._plane.watch_desired(_caller(context))
            while True:
                yield codec.encode_desired(await self._unless_closing(anext(states)))

    async def Fetch(  # noqa: N802 - named by the protocol
        self, request: artifact_pb2.FetchRequest, context: "_Context"
    ) -> AsyncIterator[artifact_pb2.ArtifactChunk]:
        async with _answering(context):
            wanted = FetchRange(
                digest=digest.parse(request.digest),
                offset_bytes=request.offset_bytes,
                length_bytes=request.length_bytes,
            )
            async for chunk in self._plane.fetch(_caller(context), wanted, GRPC_CHUNK_BYTES):
                yield artifact_pb2.ArtifactChunk(
                    digest=wanted.digest,
                    offset_bytes=chunk.offset_bytes,
                    data=chunk.data,
                    total_bytes=chunk.total_bytes,
                    request_id=request.request_id,
                )

    async def Report(  # noqa: N802 - named by the protocol
        self, request: report_pb2.DeviceReport, context: "_Context"
    ) -> report_pb2.ReportAck:
        async with _answering(context):
            await self._plane.report(_caller(context), codec.decode_report(request))
            return report_pb2.ReportAck(boot_id=request.boot_id, sequence=request.sequence)

    async def SendTelemetry(  # noqa: N802 - named by the protocol
        self, request: telemetry_pb2.TelemetryBatch, context: "_Context"
    ) -> telemetry_pb2.TelemetryAck:
        async with _answering(context):
            await self._plane.telemetry(_caller(context), codec.decode_telemetry(request))
            return telemetry_pb2.TelemetryAck(boot_id=request.boot_id, sequence=request.sequence)

    async def _unless_closing(self, awaited: Awaitable[T]) -> T:
        """The result, or a polite goodbye when the server closes first."""
        tasks = (asyncio.ensure_future(awaited), asyncio.ensure_future(self.closing.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not tasks[0].done():
                raise UnreachableError(
                    Problem(
                        reason=Reason.UNREACHABLE,
                        message="the controller is stopping; come back later",
                    )
                )
            return tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _answering(context: "_Context") -> AsyncIterator[None]:
    """Turns our errors into a status, with the whole problem in the trailers."""
    try:
        yield
    except ProblemError as error:
        await _abort(context, error)
    except ValueError as error:
        problem = Problem(reason=Reason.INVALID, message=str(error))
        await _abort(context, InvalidError(problem))


async def _abort(context: "_Context", error: ProblemError) -> NoReturn:
    code = next(code for kind, code in _STATUS if isinstance(error, kind))
    trailers: list[tuple[str, str | bytes]] = [
        (headers.PROBLEM, json.dumps(error.problem.to_json()).encode())
    ]
    if code is grpc.StatusCode.UNAVAILABLE:
        trailers.append((headers.RETRY_AFTER, str(_RETRY_AFTER_S)))
    await context.abort(code, error.problem.message, tuple(trailers))


def _refusal(error: ForbiddenError) -> "_Handler":
    async def refuse(_request: Any, context: "_Context") -> NoReturn:
        await _abort(context, error)

    return grpc.unary_unary_rpc_method_handler(refuse)


def _caller(context: "_Context") -> str:
    """The device that the interceptor has proven."""
    metadata = dict(context.invocation_metadata() or ())
    return str(metadata[headers.DEVICE])
