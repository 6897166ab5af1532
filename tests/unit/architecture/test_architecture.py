"""The shape of the code is a rule, and the rules are tests (see CONTRIBUTING.md)."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
SOURCE_ROOTS = ("controller", "agent", "compressor", "proto")
ALL_CODE = (*SOURCE_ROOTS, "tests", "bench", "examples")
LINES_OF_A_FILE = 300
LINES_OF_A_FUNCTION = 50
PARAMETERS = 5
BANNED_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}
LEAVES = (
    "controller/shoal/controller",
    "controller/shoal/resources",
    "controller/shoal/client",
    "controller/shoal/cli",
    "controller/shoal/lab",
    "agent/shoal/agent",
    "compressor/shoal/compressor",
    "proto/shoal/contract",
    "proto/shoal/engines",
    "proto/shoal/v1",
)


def modules(*roots: str) -> Iterator[Path]:
    """Our own modules: generated messages and migrations follow other people's shapes."""
    for root in roots:
        for path in sorted((REPOSITORY / root).rglob("*.py")):
            if not path.stem.endswith(("_pb2", "_pb2_grpc")):
                yield path.relative_to(REPOSITORY)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse((REPOSITORY / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_the_arrows_between_packages_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=REPOSITORY, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("root", SOURCE_ROOTS)
def test_the_namespace_has_no_init(root: str) -> None:
    # One __init__.py here would hide the slices of all other source roots.
    assert not (REPOSITORY / root / "shoal" / "__init__.py").exists()


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_package_is_typed(leaf: str) -> None:
    assert (REPOSITORY / leaf / "py.typed").exists()
    assert (REPOSITORY / leaf / "__init__.py").exists()


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in modules(*SOURCE_ROOTS)}
    bare = [
        f for f in folders if f.name != "shoal" and not (REPOSITORY / f / "__init__.py").exists()
    ]
    assert not bare


def test_files_stay_small() -> None:
    sizes = {p: len((REPOSITORY / p).read_text().splitlines()) for p in modules(*ALL_CODE)}
    assert not {
        str(p): n for p, n in sizes.items() if n > LINES_OF_A_FILE and "versions" not in p.parts
    }


def test_functions_stay_small() -> None:
    long = {
        f"{path}:{function.lineno} {function.name}": length
        for path in modules(*ALL_CODE)
        for function in functions(path)
        if "migrations" not in path.parts
        and (length := (function.end_lineno or 0) - function.lineno + 1) > LINES_OF_A_FUNCTION
    }
    assert not long


def test_functions_take_few_parameters() -> None:
    # Commands and routes are exempt: each parameter is an option or a part of the address.
    many = [
        f"{path}:{function.lineno} {function.name}"
        for path in modules(*SOURCE_ROOTS)
        for function in functions(path)
        if _parameters(function) > PARAMETERS and not _is_outer(function)
    ]
    assert not many


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([one for one in named if one.arg not in {"self", "cls"}])


def _is_outer(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = ast.unparse(function.args)
    is_command = any(".command(" in ast.unparse(one) for one in function.decorator_list)
    return is_command or "typer." in arguments or "Query(" in arguments


def test_no_module_is_a_junk_drawer() -> None:
    assert not [str(path) for path in modules(*ALL_CODE) if path.stem in BANNED_NAMES]


def test_modules_say_what_they_are() -> None:
    silent = [
        str(path)
        for path in modules(*SOURCE_ROOTS, "bench")
        if not ast.get_docstring(ast.parse((REPOSITORY / path).read_text()))
    ]
    assert not silent


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("shoal.controller.app", {"torch", "onnx", "onnxruntime", "numpy", "sklearn"}),
        ("shoal.agent.app", {"torch", "numpy", "onnxruntime", "fastapi", "sqlalchemy"}),
        ("shoal.client", {"torch", "numpy", "grpc", "sqlalchemy", "fastapi"}),
        ("shoal.cli.main", {"numpy", "grpc", "sqlalchemy", "fastapi", "httpx"}),
    ],
)
def test_a_program_loads_only_its_own_libraries(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert not absent & set(done.stdout.split())
