"""Architecture rules: allowed imports between packages, and no work at import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("fashion", "training", "serving", "catalog", "page", "benchmarks")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]

# Calls that read, write, connect, load or configure: forbidden at import.
WORK = {
    *("open", "read_text", "read_bytes", "write_text", "mkdir", "makedirs", "exists", "run", "Popen", "urlopen", "get"),
    *("load", "load_dataset", "from_bundle", "build", "imaterialist", "is_available", "basicConfig", "manual_seed"),
}


def test_the_packages_are_found():
    assert {name.split("/")[0] for name in NAMES} == set(PACKAGES)


def test_public_classes_have_unique_names():
    places: dict[str, list[str]] = {}
    for name, path in zip(NAMES, SOURCES, strict=True):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name)
    assert {name: of for name, of in places.items() if len(of) > 1} == {}


def test_imports_follow_the_declared_layers():
    """Allowed imports between packages and subpackages are listed in pyproject.toml."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_imports_are_absolute(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))


def is_definition(statement: ast.stmt) -> bool:
    """Whether a statement at the top of a module only defines something."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return True
        case ast.Expr(value=ast.Constant()):  # a docstring
            return True
        case ast.Assign() | ast.AnnAssign():
            called = {node.func for node in ast.walk(statement) if isinstance(node, ast.Call)}
            names = {ast.unparse(function).rpartition(".")[2] for function in called}
            return not names & WORK
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.If(body=[ast.Expr(value=ast.Call(func=function))]):
            return ast.unparse(function) == "sys.path.insert"  # lets the handler import the packages in its archive
    return False


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_importing_a_module_does_no_work(path):
    work = [s for s in ast.parse(path.read_text(encoding="utf-8")).body if not is_definition(s)]
    assert not work, [f"line {statement.lineno}: {ast.unparse(statement)[:80]}" for statement in work]


@pytest.mark.parametrize(
    "line",
    [
        "print(1)",
        "NAMES = open('names').read()",
        "for i in range(3): pass",
        "import os\nos.mkdir('runs')",
        "x.y = 1; f()",
    ],
)
def test_the_check_above_finds_work(line):
    assert not all(is_definition(statement) for statement in ast.parse(line).body)


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_every_module_has_a_docstring(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body


def test_a_server_that_runs_onnx_imports_neither_torch_nor_any_other_package():
    program = (
        "import sys, fashion.predictor\n"
        "print(*({'torch', 'torchvision', 'onnxruntime', 'training', 'serving', 'catalog'} & sys.modules.keys()))"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("\n", "")


def test_answering_with_onnx_never_imports_torch(bundle):
    program = (
        "import sys; from fashion.predictor import Predictor; from PIL import Image\n"
        "predictor = Predictor.from_bundle(sys.argv[1], 'int8')\n"
        "predictor.answer(predictor.predict(Image.new('RGB', (80, 80))))\n"
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(bundle)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("False\n", "")
