"""From a TARGET to a pipeline; whatever is wrong is said with the file and the line."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.core.errors import DefinitionError
from reactor.load import define, load

GOOD = "from reactor import Pipeline\nshop = Pipeline('shop')\n"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The current folder; what was imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def _refused(target: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        define([target])
    return str(caught.value)


@pytest.mark.parametrize("target", ["shop.py", "./shop.py", "shop.py:shop", "shop:shop", "shop"])
def test_a_pipeline_is_found_by_file_or_by_module(target: str, folder: Path) -> None:
    (folder / "shop.py").write_text(GOOD)
    assert load([target]).name == "shop"


def test_an_absolute_path_names_the_same_pipeline(folder: Path) -> None:
    (folder / "shop.py").write_text(GOOD)
    assert load([str(folder / "shop.py")]) is load(["shop.py"])


def test_a_name_is_a_variable_or_what_the_pipeline_calls_itself(folder: Path) -> None:
    (folder / "shop.py").write_text(
        "from reactor import Pipeline\nx = Pipeline('a')\ny = Pipeline('b')\n"
    )
    assert load(["shop.py:x"]).name == "a"
    assert load(["shop.py:b"]).name == "b"


def test_a_pipeline_that_is_part_of_another_needs_no_name(folder: Path) -> None:
    (folder / "other.py").write_text("from reactor import Pipeline\nother = Pipeline('other')\n")
    (folder / "shop.py").write_text(f"{GOOD}from other import other\nshop.include(other)\n")
    assert load(["shop.py"]).name == "shop"


def test_a_file_imports_its_neighbours_and_its_package(folder: Path) -> None:
    package = folder / "company" / "pipelines"
    package.mkdir(parents=True)
    for each in (package, package.parent):
        (each / "__init__.py").touch()
    (package / "names.py").write_text("NAME = 'from the package'\n")
    (package / "shop.py").write_text(
        "from reactor import Pipeline\nfrom .names import NAME\nshop = Pipeline(NAME)\n"
    )
    assert load(["company/pipelines/shop.py"]).name == "from the package"
    assert "company.pipelines.shop" in sys.modules


def test_a_file_may_be_called_like_a_module_that_is_installed(folder: Path) -> None:
    (folder / "sensors.py").write_text(f"{GOOD}from sensors import FileArrivals\n")
    assert load(["sensors.py"]).name == "shop"
    assert load(["sensors.py"]) is load(["sensors.py"])


def test_two_files_of_one_name_are_two_pipelines(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "pipeline.py").write_text(GOOD.replace("'shop'", f"'{name}'"))
    assert [load([f"{name}/pipeline.py"]).name for name in "ab"] == ["a", "b"]


def test_several_targets_are_served_as_one(folder: Path) -> None:
    for name in ("a", "b"):
        text = GOOD.replace("'shop'", f"'{name}'")
        (folder / f"{name}.py").write_text(f"{text}@shop.asset\ndef {name}_asset(): ...\n")
    graph = define(["a.py", "b.py"]).graph
    assert graph.name == "a+b"
    assert list(graph.assets) == ["a_asset", "b_asset"]


def test_one_sensor_with_two_settings_is_refused(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.py").write_text(f"""
from reactor import Pipeline
from sensors import KafkaTopic
{name} = Pipeline("{name}")
@{name}.asset(on=KafkaTopic("orders", group="{name}"))
def {name}_asset(): ...
""")
    with pytest.raises(DefinitionError, match="two different sensors are called orders") as caught:
        define(["a.py", "b.py"])
    assert f"{folder / 'b.py'}:5" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shop = (\n", "shop.py:1: SyntaxError: '(' was never closed"),
        ("\n\n1 / 0\n", "shop.py:3: ZeroDivisionError: division by zero"),
        ("import polarz\n", "shop.py:1: cannot import polarz: there is no such module (install"),
        ("raise SystemExit(3)\n", "shop.py:1: the module exits with 3 when it is imported"),
        ("x = 1\n", "shop.py: there is no pipeline in it (say shop = Pipeline"),
        (
            f"{GOOD}a = Pipeline('a')\n",
            "shop.py has several pipelines: shop, a (say which: shop.py:",
        ),
        (
            "from reactor import Pipeline\nfrom sensors import FileArrivals\n\nFileArrivals('')\n",
            "shop.py:4: ValueError",
        ),
        (
            f"{GOOD}@shop.asset\ndef a(): ...\n@shop.asset\ndef b(): ...\nif a >> b | a: ...\n",
            "shop.py:7: TypeError",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(text: str, said: str, folder: Path) -> None:
    (folder / "shop.py").write_text(text)
    assert said in _refused("shop.py")


def test_a_mistake_in_a_neighbour_is_said_where_it_is(folder: Path) -> None:
    (folder / "helper.py").write_text("\nraise ValueError('no')\n")
    (folder / "shop.py").write_text("import helper\n")
    assert _refused("shop.py") == f"{folder / 'helper.py'}:2: ValueError: no"


def test_what_is_not_there_is_named_with_the_nearest(folder: Path) -> None:
    (folder / "shop.py").write_text(GOOD)
    assert _refused("shp.py") == "there is no file shp.py (did you mean shop.py?)"
    assert _refused("shop.py:shp") == "there is no pipeline shp in shop.py (did you mean shop?)"
    assert _refused("nowhere:x") == "there is no module nowhere (name a file: path.py)"
    assert "shop.py:Pipeline" not in _refused("shop.py:Pipeline")
    assert "is a type, not a Pipeline" in _refused("shop.py:Pipeline")
    (folder / "project").mkdir()
    (folder / "project" / "pipeline.py").write_text(GOOD)
    assert "did you mean project/pipeline.py?" in _refused("project")


def test_a_broken_file_can_be_loaded_once_it_is_mended(folder: Path) -> None:
    (folder / "shop.py").write_text("1 / 0\n")
    assert "ZeroDivisionError" in _refused("shop.py")
    (folder / "shop.py").write_text(f"{GOOD}# longer than before\n")
    assert load(["shop.py"]).name == "shop"


FIELDS = """
from pydantic import BaseModel
from reactor import Pipeline, field
from sensors import KafkaTopic, SchemaChanges

class Customer(BaseModel):
    name: str

class Order(BaseModel):
    amount: float
    customer: Customer | None = None
    extras: dict[str, int] = {{}}

    @property
    def total(self) -> float:
        return self.amount

shop = Pipeline("shop")
orders = KafkaTopic("orders", model=Order)
bare = KafkaTopic("bare")
tables = SchemaChanges("sqlite:///shop.db")

@shop.asset(on={trigger})
def report(): ...
"""


@pytest.mark.parametrize(
    "trigger",
    [
        "orders.where(field.amount > 3)",
        "orders.where(field.total > 3)",
        "orders.where(field.customer.name == 'x')",
        "orders.where(field.extras.anything == 1)",
        "bare.where(field.anything == 1)",
        "(orders | bare).where(field.anything == 1)",
        "tables.where(field.breaking == True)",
        "orders.where(lambda event: event.data.amount > 3)",
    ],
)
def test_a_field_that_an_event_may_have_is_no_mistake(trigger: str, folder: Path) -> None:
    (folder / "shop.py").write_text(FIELDS.format(trigger=trigger))
    assert list(define(["shop.py"]).graph.assets) == ["report"]


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ("orders.where(field.amont > 3)", "Order has no amont (did you mean amount?)"),
        ("orders.where((field.amount > 1) & ~(field.amont == 3))", "Order has no amont"),
        ("orders.by(field.regio).batch(3, max_wait='1s')", "Order has no regio (it has"),
        ("orders.where(field.customer.nam == 'x')", "Customer has no nam (did you mean name?)"),
        ("tables.where(field.braking == True)", "SchemaChanged has no braking (did you mean"),
        ("(orders | tables).where(field.nothing == 1)", "has no nothing"),
    ],
)
def test_a_field_that_no_event_has_is_a_mistake(trigger: str, said: str, folder: Path) -> None:
    (folder / "shop.py").write_text(FIELDS.format(trigger=trigger))
    refused = _refused("shop.py")
    assert f"{folder / 'shop.py'}:23: rule report:" in refused
    assert said in refused


def test_an_executor_that_is_not_there_is_a_mistake(folder: Path) -> None:
    (folder / "shop.py").write_text(f"{GOOD}@shop.asset(executor='thred')\ndef a(): ...\n")
    assert _refused("shop.py").endswith("a: there is no executor thred (did you mean thread?)")
