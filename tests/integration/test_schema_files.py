"""Schema changes of real files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from reactor.core.errors import SensorError, SensorRefused
from sensors import SchemaChanges
from tests.integration.desk import Recorder, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lake" / "raw").mkdir(parents=True)
    return tmp_path / "lake" / "raw"


def watching(pattern: str, **settings: Any) -> SchemaChanges:
    return SchemaChanges(pattern, every="10ms", **settings)


def said(desk: Recorder) -> list[str]:
    return [f"{event.id} {event.data}" for event in desk.events]


def place(path: Path, content: bytes) -> None:
    """Puts a file there whole, as a careful writer does."""
    aside = path.with_suffix(".aside")
    aside.write_bytes(content)
    aside.replace(path)


async def test_a_csv_header_that_changes_is_an_event(lake: Path) -> None:
    place(lake / "orders.csv", b"id,region,amount\n1,eu,2\n")
    desk = Recorder()
    async with running(watching("lake/raw/*.csv"), desk):
        await desk.looked()
        place(lake / "orders.csv", b"id,amount,note\n1,2.5,x\n")
        await desk.until(lambda: len(desk.events) == 1)
        place(lake / "regions.csv", b"code;name\n")
        await desk.until(lambda: len(desk.events) == 2)
        (lake / "orders.csv").unlink()
        await desk.until(lambda: len(desk.events) == 3)
    assert said(desk) == [
        "lake/raw/orders.csv@1 lake/raw/orders.csv: column region removed; "
        "column amount is number, was integer; column note added (text)",
        "lake/raw/regions.csv@1 lake/raw/regions.csv: table created",
        "lake/raw/orders.csv@2 lake/raw/orders.csv: table dropped",
    ]
    assert desk.events[0].source == "raw"
    assert [column.name for column in desk.events[1].data.after.columns] == ["code", "name"]


async def test_rows_that_are_added_are_no_schema_change(lake: Path) -> None:
    place(lake / "orders.csv", b"id,amount,note\n1,2,\n")
    desk = Recorder()
    async with running(watching("lake/raw/*.csv"), desk):
        await desk.looked()
        with (lake / "orders.csv").open("ab") as file:
            file.write(b"2,3,\n" * 1000)
        await desk.looked()
        assert desk.events == []
        with (lake / "orders.csv").open("ab") as file:
            file.write(b"3,4,now there is a note\n")
        await desk.looked()
        assert desk.events == []
        place(lake / "orders.csv", b"id,amount,note\n1,2,a note\n")
        before = desk.recorded["lake/raw/orders.csv"]
        await desk.until(lambda: desk.recorded["lake/raw/orders.csv"] != before)
        assert desk.events == []
        place(lake / "orders.csv", b"id,amount,note\n1,2,3\n")
        await desk.until(lambda: len(desk.events) == 1)
    assert said(desk)[0].endswith("column note is integer, was text")


async def test_a_file_is_not_judged_by_half_a_line(lake: Path) -> None:
    desk = Recorder()
    async with running(watching("lake/raw/*.csv", baseline="announce"), desk):
        with (lake / "orders.csv").open("wb", buffering=0) as file:
            for piece in (b"", b"id,re", b"gion,amo"):
                file.write(piece)
                # However slow this machine is, the file was written to a moment ago.
                os.utime(file.fileno(), (4_000_000_000, 4_000_000_000))
                await desk.looked()
                assert desk.events == []
            file.write(b"unt\n1,eu,2")
            await desk.until(lambda: len(desk.events) == 1)
    assert [column.name for column in desk.events[0].data.after.columns] == [
        "id",
        "region",
        "amount",
    ]


async def test_a_last_line_without_its_end_counts_once_the_file_is_quiet(lake: Path) -> None:
    (lake / "orders.csv").write_bytes(b"id,amount")
    os.utime(lake / "orders.csv", (1_700_000_000, 1_700_000_000))
    desk = Recorder()
    async with running(watching("lake/raw/*.csv", baseline="announce"), desk):
        await desk.until(lambda: len(desk.events) == 1)
    assert [column.name for column in desk.events[0].data.after.columns] == ["id", "amount"]


async def test_parquet_is_read_from_its_footer_and_not_before_it_is_there(lake: Path) -> None:
    path = lake / "orders.parquet"
    table = pa.table({"id": pa.array([1], pa.int32()), "at": pa.array([0], pa.timestamp("us"))})
    parquet.write_table(table, path)
    desk = Recorder()
    async with running(watching("lake/raw/*.parquet"), desk):
        await desk.looked()
        whole = path.read_bytes()
        path.write_bytes(whole[:-30])
        await desk.until(lambda: "schema not read" in desk.log.said)
        path.write_bytes(whole)
        await desk.looked()
        assert desk.events == []
        wider = pa.table({"id": pa.array([1], pa.int64()), "at": pa.array([0], pa.timestamp("us"))})
        parquet.write_table(wider, lake / "next")
        (lake / "next").replace(path)
        await desk.until(lambda: len(desk.events) == 1)
        strict = pa.schema([pa.field("id", pa.int64(), nullable=False)])
        parquet.write_table(pa.table({"id": [1]}, schema=strict), lake / "next")
        (lake / "next").replace(path)
        await desk.until(lambda: len(desk.events) == 2)
    assert said(desk) == [
        "lake/raw/orders.parquet@1 lake/raw/orders.parquet: column id is int64, was int32",
        "lake/raw/orders.parquet@2 lake/raw/orders.parquet: "
        "column at removed; column id is not null now",
    ]
    assert [event.data.breaking for event in desk.events] == [False, True]


async def test_how_a_writer_held_text_in_memory_is_no_part_of_a_parquet_schema(lake: Path) -> None:
    desk = Recorder()
    kinds = [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
    parquet.write_table(pa.table({"a": pa.array(["x"], kinds[0])}), lake / "a.parquet")
    async with running(watching("lake/raw/*.parquet"), desk):
        await desk.looked()
        for kind in kinds[1:]:
            parquet.write_table(pa.table({"a": pa.array(["x"], kind)}), lake / "next")
            (lake / "next").replace(lake / "a.parquet")
            await desk.looked()
    assert desk.events == []


async def test_json_lines_say_names_types_and_what_may_be_missing(lake: Path) -> None:
    place(
        lake / "a.jsonl", b'{"id": 1, "tags": [], "x": null}\n{"id": 2.5, "who": {"a": 1}}\n[]\n{\n'
    )
    desk = Recorder()
    async with running(watching("lake/**/*.jsonl", baseline="announce"), desk):
        await desk.until(lambda: len(desk.events) == 1)
        place(lake / "a.jsonl", b'{"id": "1", "tags": [], "x": 1}\n')
        await desk.until(lambda: len(desk.events) == 2)
    columns = [(c.name, c.type, c.nullable) for c in desk.events[0].data.after.columns]
    assert columns == [
        ("id", "number", False),
        ("tags", "array", True),
        ("x", "unknown", True),
        ("who", "object", True),
    ]
    assert said(desk)[1].endswith(
        "column who removed; column id is text, was number; column tags is not null now; "
        "column x is not null now"
    )


async def test_a_folder_that_is_not_there_is_down_and_drops_nothing(lake: Path) -> None:
    place(lake / "orders.csv", b"id\n1\n")
    desk = Recorder()
    async with running(watching("lake/raw/*.csv"), desk):
        await desk.looked()
    os.rename(lake, lake.with_name("away"))
    desk = desk.again()
    with pytest.raises(SensorError, match="no folder lake/raw"):
        await watching("lake/raw/*.csv").open(desk).run()
    assert desk.events == []
    assert not desk.health[-1][0]


async def test_what_is_no_file_of_ours_does_no_harm(lake: Path) -> None:
    os.mkfifo(lake / "pipe.csv")
    (lake / "folder.csv").mkdir()
    (lake / "loop").symlink_to(lake)
    (lake / "gone.csv").symlink_to(lake / "nowhere")
    (lake / ".hidden.csv").write_bytes(b"id\n1\n")
    (lake / "binary.csv").write_bytes(bytes(range(256)) * 50 + b"\n")
    (lake / "big.csv").write_bytes(b"x" * 3_000_000)
    place(Path(os.fsdecode(os.fsencode(lake) + b"/caf\xe9.csv")), b"id\n1\n")
    place(lake / "good.csv", b"id\n1\n")
    desk = Recorder()
    async with running(watching("lake/**/*.csv", baseline="announce"), desk):
        await desk.until(lambda: any("good" in event.subject for event in desk.events))
    assert sorted(event.subject for event in desk.events if "binary" not in event.subject) == [
        "lake/raw/caf\\xe9.csv",
        "lake/raw/good.csv",
    ]
    assert "caf\\xe9" in "".join(desk.recorded).encode().decode()


async def test_a_change_while_nobody_looked_is_seen_after_the_restart(lake: Path) -> None:
    place(lake / "orders.csv", b"id,amount\n1,2\n")
    desk = Recorder()
    async with running(watching("lake/raw/*"), desk):
        await desk.looked()
    place(lake / "orders.csv", b"id\n1\n")
    desk = desk.again()
    async with running(watching("lake/raw/*"), desk):
        await desk.until(lambda: len(desk.events) == 1)
    desk = desk.again()
    async with running(watching("lake/raw/*"), desk):
        await desk.looked()
    assert desk.events == []


async def test_without_pyarrow_the_extra_is_named(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lake / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SensorRefused, match=r"reactor-orchestrator\[parquet\]"):
        await watching("lake/raw/*.parquet").open(Recorder()).run()
