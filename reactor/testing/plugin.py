"""The `sim` fixture: what pytest loads of us, in every project where we are installed.

Law: nothing of a pipeline is imported before a test asks for `sim`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from reactor.pipeline import Pipeline as Pipeline
    from reactor.simulation import Simulation as Simulation

INI = "reactor_pipeline"
MARK = "pipeline"
_WAYS = (
    "import the pipeline into the test's module, mark the test with @pytest.mark.pipeline(shop), "
    f"write a fixture called pipeline, or set {INI} = path/to/pipeline.py"
)
_SHOWN = 40


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(INI, "The pipeline that `sim` simulates: path/to/pipeline.py or module:name.")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARK}(pipeline, start=..., seed=..., ...): what `sim` simulates, and how "
        "(reactor.testing.simulate)",
    )


@pytest.fixture
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    """The pipeline that `sim` simulates: the only one in the test's module, else the setting's.

    Write a fixture of this name for another one.
    """
    found = _in_module(vars(request.module))
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        pytest.fail(
            f"{request.module.__name__} has several pipelines, {', '.join(found)}: mark the test "
            f"with the one that is meant, @pytest.mark.{MARK}({next(iter(found))})",
            pytrace=False,
        )
    target = str(request.config.getini(INI) or "")
    if not target:
        pytest.fail(f"sim does not know which pipeline is meant: {_WAYS}", pytrace=False)
    return _loaded(request.config, target)


@pytest.fixture
def sim(request: pytest.FixtureRequest) -> Generator[Simulation]:
    """A simulation of the pipeline: that of the test's mark, else of the fixture `pipeline`."""
    mark = request.node.get_closest_marker(MARK)
    options: Mapping[str, Any] = mark.kwargs if mark else {}
    chosen = mark.args[0] if mark and mark.args else request.getfixturevalue("pipeline")
    if not isinstance(chosen, import_module("reactor.pipeline").Pipeline):
        whose = f"the mark {MARK}" if mark and mark.args else "the fixture pipeline"
        pytest.fail(f"{whose} gives {chosen!r}, which is no Pipeline: {_WAYS}", pytrace=False)
    with import_module("reactor.simulation").simulate(chosen, **options) as simulation:
        yield simulation


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed shows what happened in its simulation."""
    report = yield
    simulation = getattr(item, "funcargs", {}).get("sim")
    told = getattr(simulation, "story", None)
    if report.when == "call" and report.failed and callable(told):
        lines = str(told()).splitlines()
        left = f"({len(lines) - _SHOWN} lines before)\n" if len(lines) > _SHOWN else ""
        report.sections.append(("the story of sim", left + "\n".join(lines[-_SHOWN:])))
    return report


def _in_module(names: Mapping[str, Any]) -> dict[str, Pipeline]:
    """The pipelines of a module by name, each once, without those that are part of another."""
    kind = import_module("reactor.pipeline").Pipeline
    found = {name: each for name, each in names.items() if isinstance(each, kind)}
    parts = {id(part) for each in found.values() for part in each.members()[1:]}
    whole = {name: each for name, each in found.items() if id(each) not in parts}
    return {name: each for name, each in whole.items() if _first(whole, each) == name}


def _first(found: Mapping[str, Any], wanted: object) -> str:
    return next(name for name, each in found.items() if each is wanted)


def _loaded(config: pytest.Config, target: str) -> Pipeline:
    """The pipeline of a TARGET; a path counts from the folder of the settings."""
    errors = import_module("reactor.core.errors")
    if ".py" in target:
        target = str(config.rootpath / target)
    try:
        return import_module("reactor.load").load([target])
    except errors.ReactorError as error:
        pytest.fail(f"{INI}: {error}", pytrace=False)
