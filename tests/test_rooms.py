"""The house is kept by its imports: who may know whom, wherever in a file the import stands (DESIGN: the rooms)."""

import ast
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import enricher

PACKAGE = Path(enricher.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
CORE = sorted((PACKAGE / "core").glob("*.py"))

# Room → the rooms that it may know besides itself. A room that is not here has not been thought about yet.
MAY_KNOW = {
    "errors": set(),
    "checking": {"errors"},
    "locks": set(),
    "forking": set(),
    "threads": set(),
    "model": {"checking"},
    "simulator": set(),
    "http": {"model"},
    "sendable": {"model"},
    "target": {"model", "sendable"},
    "mailbox": {"model"},
    "processes": {"errors", "forking", "model", "threads"},
    "export": {"errors", "model"},
    "pipelines": {"errors", "http", "model"},
    "settings": {"checking", "errors", "model"},
    "store": {"errors", "model"},
    "transports": {"errors", "model", "sendable", "target"},
    "core": {"errors", "http", "locks", "model", "sendable", "target"},
    "memory": {"core", "locks", "model"},
    "modes": {"core", "errors", "forking", "locks", "memory", "model", "processes", "threads"},
    "background": {"errors", "mailbox", "model", "modes", "threads"},
    "gates": {"core", "forking", "model"},
    "quotas": {"core", "errors", "gates", "model", "store", "threads"},
    "resources": {
        *("background", "core", "errors", "forking", "model", "modes"),
        *("processes", "threads", "transports"),
    },
    "lanes": {"locks", "model"},
    "purse": {"core", "errors", "model", "store"},
    "batching": {"core", "errors", "model", "modes", "purse", "store"},
    "engine": {
        *(
            "background",
            "batching",
            "core",
            "errors",
            "forking",
            "gates",
            "lanes",
            "mailbox",
            "memory",
            "model",
            "modes",
        ),
        *("processes", "purse", "quotas", "resources", "store", "transports"),
    },
    "processor": {"core", "engine", "errors", "model", "modes", "pipelines"},
    "library": {"core", "engine", "errors", "model", "modes", "pipelines"},
    "cli": {
        *("core", "engine", "errors", "export", "model", "modes"),
        *("pipelines", "purse", "settings", "simulator", "store"),
    },
    "__init__": {  # the public names
        *("engine", "errors", "export", "library", "model", "modes", "pipelines", "processor", "store"),
    },
    "__main__": {"cli"},
}

# Room → the libraries from outside that it may know.
OUTSIDE = {
    "cli": {"click", "rich"},
    "core": {"ratelimit"},
    "memory": {"cachetools"},
    "pipelines": {
        *("charset_normalizer", "feedparser", "idna", "ijson", "json_repair", "lxml", "protego", "rapidfuzz", "tld"),
        *("trafilatura", "yaml"),
    },
    "settings": {"pydantic", "pydantic_settings", "yaml"},
    "simulator": {"aiohttp"},
    "store": {"filelock", "peewee"},
    "transports": {"aiohttp", "requests", "urllib3", "yarl"},
}
# Import name → what is installed for it, where the names differ or it comes along with another.
INSTALLED_AS = {
    "charset_normalizer": "charset-normalizer",
    "json_repair": "json-repair",
    "pydantic": "pydantic-settings",
    "pydantic_settings": "pydantic-settings",
    "yaml": "pyyaml",
    "yarl": "aiohttp",
}

# All that the core needs of the standard library: nothing here waits, reads a clock, or touches a wire or a disk.
PURE = {
    *("__future__", "bisect", "collections", "collections.abc", "contextlib", "dataclasses", "email.utils", "enum"),
    *(
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "types",
        "typing",
        "urllib.parse",
    ),
}
PURE_NAMES = {("threading", "Lock"), ("datetime", "UTC")}

PICKLES = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def imports(source, module=("enricher", "example")):
    """Every import of a source text, lazy and typing-only ones too: (absolute module, name or None, dots before it).

    `module` is the path of the text's own module; for a package it ends in `__init__`.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {(alias.name, None, 0) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module[: len(module) - node.level]) if node.level else ""
            target = ".".join(filter(None, (base, node.module)))
            found |= {(target, alias.name, node.level) for alias in node.names}
    return found


def module_of(file):
    return ("enricher", *file.relative_to(PACKAGE).with_suffix("").parts)


def imports_of(file):
    return imports(file.read_text(encoding="utf-8"), module_of(file))


def room_of(dotted):
    return dotted.split(".")[1] if "." in dotted else "__init__"


def is_ours(dotted):
    return dotted.split(".")[0] == "enricher"


def room_files(room):
    return [file for file in FILES if room_of(".".join(module_of(file))) == room]


def named(files):
    return pytest.mark.parametrize("file", files, ids=lambda file: str(file.relative_to(PACKAGE)))


ROOMS = sorted({room_of(".".join(module_of(file))) for file in FILES})


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("import time", ("time", None, 0)),
        ("def f():\n    import time", ("time", None, 0)),
        ("if TYPE_CHECKING:\n    from .store import Store", ("enricher.store", "Store", 1)),
        ("try:\n    from . import store\nexcept ImportError:\n    pass", ("enricher", "store", 1)),
    ],
)
def test_an_import_is_seen_wherever_it_stands(source, seen):
    assert imports(source) == {seen}


def test_each_room_has_been_thought_about():
    assert set(ROOMS) == set(MAY_KNOW)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_the_rooms_that_it_may_know(room):
    known = set()
    for file in room_files(room):
        for module, name, _ in imports_of(file):
            if is_ours(module):
                known.add(room_of(f"{module}.{name}" if module == "enricher" else module))
    assert known - {room} <= MAY_KNOW[room]


def test_the_engine_knows_no_pipeline_and_the_edges_know_only_nouns_and_errors():
    """What the table above must never be widened to."""
    nouns = {"errors", "http", "model", "sendable", "target"}
    assert all(MAY_KNOW[room] <= nouns for room in ("export", "pipelines", "store", "transports"))
    faces = {"__init__", "cli", "library", "processor"}
    assert all("pipelines" not in MAY_KNOW[room] for room in set(MAY_KNOW) - faces)
    assert all("cli" not in MAY_KNOW[room] for room in set(MAY_KNOW) - {"__main__"})


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_its_own_outside_libraries(room):
    modules = {module.split(".")[0] for file in room_files(room) for module, _, _ in imports_of(file)}
    outside = modules - set(sys.stdlib_module_names) - {"enricher", "_typeshed"}  # the latter is for type checkers only
    assert outside <= OUTSIDE.get(room, set())


def test_each_outside_library_is_one_that_the_package_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    words = [*project["dependencies"], *project["optional-dependencies"]["articles"]]
    asked = {word.split(">")[0].lower() for word in words}
    used = {INSTALLED_AS.get(name, name) for names in OUTSIDE.values() for name in names}
    assert used <= asked | {"click"}
    assert asked - {"urllib3", "lxml_html_clean"} <= used  # what others of ours need, and some installers leave out


@named(CORE)
def test_the_core_touches_no_clock_no_wire_no_disk_and_no_chance(file):
    asked = {(module, name) for module, name, _ in imports_of(file) if not is_ours(module)}
    strange = {
        (module, name)
        for module, name in asked
        if module not in PURE | OUTSIDE["core"] and (module, name) not in PURE_NAMES
    }
    assert strange == set()


@named(CORE)
def test_the_core_opens_nothing(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"open", "input", "__import__", "exec", "eval"}


def tongues(source):
    """The places in a text where something is printed: (line, how)."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="print")):
                found.append((node.lineno, "print"))
            case ast.Attribute(value=ast.Name(id="click"), attr="echo" | "secho"):
                found.append((node.lineno, f"click.{node.attr}"))
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" | "__stdout__" | "__stderr__"):
                found.append((node.lineno, f"sys.{node.attr}"))
            case ast.ImportFrom(module="sys" | "click" as module):
                names = {alias.name for alias in node.names} & {"stdout", "stderr", "echo", "secho"}
                found += [(node.lineno, f"{module}.{name}") for name in names]
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="write")):
                found.append((node.lineno, "os.write"))
    return found


@pytest.mark.parametrize(
    "source",
    [
        "print(1)",
        "def f():\n    click.echo('x', err=True)",
        "write = sys.stdout.write",
        "from sys import stderr",
        "os.write(1, b'')",
    ],
)
def test_what_prints_is_seen(source):
    assert tongues(source)


@named([file for file in FILES if file.parent.name != "cli" and module_of(file)[1:] != ("simulator", "__main__")])
def test_only_the_command_line_prints(file):
    assert tongues(file.read_text(encoding="utf-8")) == []


@named(FILES)
def test_the_package_names_itself_only_by_its_place(file):
    """Relative imports: the package can be renamed, and a circle is seen at once."""
    assert [module for module, _, level in imports_of(file) if is_ours(module) and not level] == []


@pytest.mark.parametrize(
    "file", [*FILES, *sorted((ROOT / "benchmarks").rglob("*.py"))], ids=lambda file: str(file.relative_to(ROOT))
)
def test_nothing_is_pickled(file):
    """Whoever can write a pickle that we read can run code here."""
    found = imports(file.read_text(encoding="utf-8"))
    assert not {module.split(".")[0] for module, _, level in found if not level} & PICKLES


@pytest.mark.parametrize("package", [PACKAGE, ROOT / "benchmarks"], ids=lambda folder: folder.name)
def test_no_import_runs_in_a_circle(package):
    """Lazy and typing-only imports count: they hide a circle from Python, not from the reader."""
    paths = {file: (package.name, *file.relative_to(package).with_suffix("").parts) for file in package.rglob("*.py")}
    modules = {".".join(path).removesuffix(".__init__"): (file, path) for file, path in paths.items()}
    graph = {}
    for dotted, (file, path) in modules.items():
        found = imports(file.read_text(encoding="utf-8"), path)
        known = {f"{module}.{name}" if f"{module}.{name}" in modules else module for module, name, _ in found}
        graph[dotted] = (known & set(modules)) - {dotted}
    assert any(graph.values())
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" → ".join(circle.args[1]))


def test_the_package_does_not_know_its_benchmarks():
    assert not [file for file in FILES for module, _, _ in imports_of(file) if module.split(".")[0] == "benchmarks"]
