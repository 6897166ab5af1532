"""Joining a fleet: a token and a signing request become an identity in the state folder."""

from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shoal.agent.link import identity as identities
from shoal.agent.link.channel import open_channel, problem_of
from shoal.agent.link.identity import Identity
from shoal.contract import codec
from shoal.contract.enrolment import EnrolRequest, EnrolResponse
from shoal.contract.problem import FailedError, Problem
from shoal.contract.profile import HardwareProfile
from shoal.contract.reason import Reason
from shoal.v1 import device_plane_pb2_grpc

_ANSWER_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRequest:
    """Whom to join and as what; an empty `name` lets the controller choose.

    `labels` may only have keys under `device/`. `state` is the agent's folder.
    """

    server: str
    token: str
    state: Path
    hardware: HardwareProfile
    agent_version: str
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()


async def enrol(request: EnrolmentRequest) -> Identity:
    """Join, and keep identity, key and certificates in the state folder.

    The key is made once and stays: asking again with the same token, because the answer was lost,
    gives the same device.

    Raises:
        ForbiddenError: the token is unknown, expired or used up.
        ConflictError: the name is taken.
        InvalidError: a bad name or label.
        UnreachableError: the controller did not answer.
        FailedError: the state folder cannot be written.
    """
    try:
        request.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = _own_key(request.state / identities.KEY)
        response = await _ask(request, _signing_request(key))
        return _keep(request, response)
    except OSError as error:
        raise FailedError(
            Problem(
                reason=Reason.INVALID,
                message=f"the state folder {request.state} cannot be used: {error}",
                hint="choose another one with --state DIR",
            )
        ) from None


async def _ask(request: EnrolmentRequest, csr_pem: bytes) -> EnrolResponse:
    message = codec.encode_enrol_request(
        EnrolRequest(
            token=request.token,
            name=request.name,
            labels=request.labels,
            csr_pem=csr_pem,
            hardware=request.hardware,
            agent_version=request.agent_version,
        )
    )
    async with open_channel(request.server) as channel:
        stub = device_plane_pb2_grpc.DevicePlaneStub(channel)
        try:
            answer = await stub.Enrol(message, timeout=_ANSWER_S)
        except grpc.aio.AioRpcError as error:
            raise problem_of(error, request.server) from None
    return codec.decode_enrol_response(answer)


def _keep(request: EnrolmentRequest, response: EnrolResponse) -> Identity:
    identity = Identity(
        device=response.device,
        secret=response.secret,
        server=request.server,
        broker=response.broker,
        namespace=response.namespace,
    )
    identities.write_private(request.state / identities.CERTIFICATE, response.certificate_pem)
    identities.write_private(request.state / identities.AUTHORITY, response.authority_pem)
    identities.save(request.state, identity)
    return identity


def _own_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except ValueError:
            key = None  # cut off by a full disk, say: a key without an identity is worth nothing
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key
    key = ec.generate_private_key(ec.SECP256R1())
    identities.write_private(
        path,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    return key


def _signing_request(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The subject is empty: the controller names the device."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
