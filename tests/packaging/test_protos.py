"""The generated messages are those of the .proto files."""

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROTO = REPOSITORY / "proto"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from grpc_tools import protoc

    out = tmp_path_factory.mktemp("proto")
    programs = Path(sys.executable).parent
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    code = protoc.main(
        [
            "protoc",
            f"-I{PROTO}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            f"--plugin=protoc-gen-mypy={programs / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={programs / 'protoc-gen-mypy_grpc'}",
            f"--mypy_out=readable_stubs:{out}",
            f"--mypy_grpc_out=readable_stubs:{out}",
            *sources,
        ]
    )
    assert code == 0
    return out


def generated(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*_pb2*")
        if path.suffix in {".py", ".pyi"}
    }


def test_generated_code_is_fresh(fresh: Path) -> None:
    stale = dict(generated(PROTO).items() ^ generated(fresh).items())
    assert not sorted(stale), "run `make proto`"
