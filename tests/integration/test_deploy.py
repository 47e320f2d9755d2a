"""What teams copy from deploy/ is right: rules that Prometheus takes, metrics that we have."""

import json
import re
from pathlib import Path

import pytest
import yaml

from reactor.metrics import Metrics
from tests.servers.prometheus import promtool

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = sorted(DEPLOY.glob("rules/*.yml"))


def _served() -> set[str]:
    """The names of all series of our own that /metrics shows."""
    metrics = Metrics(sensors=["orders"], rules=["big"], assets=["revenue"])
    families = metrics.registry.collect()
    served = {sample.name for family in families for sample in family.samples}
    return {name for name in served | {"reactor_asset_age_seconds"} if name.startswith("reactor_")}


def _asked_for(text: str) -> set[str]:
    return set(re.findall(r"\breactor_[a-z_]+", text))


def test_promtool_accepts_the_scrape_configuration_and_the_rules() -> None:
    checked = promtool(["check", "config", DEPLOY / "prometheus.yml"])
    assert checked.returncode == 0, checked.stderr
    assert RULES
    checked = promtool(["check", "rules", *RULES])
    assert checked.returncode == 0, checked.stderr


def test_the_alerts_fire_when_they_should_and_not_before() -> None:
    checked = promtool(["test", "rules", Path(__file__).with_name("alerts.promtool.yml")])
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    "path", [*RULES, DEPLOY / "grafana" / "dashboard.json"], ids=lambda path: path.name
)
def test_only_metrics_that_the_service_has_are_asked_for(path: Path) -> None:
    asked = _asked_for(path.read_text())
    assert asked
    assert asked <= _served()


def test_the_dashboard_shows_every_metric_that_the_service_has() -> None:
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in _asked_for(_dashboard_text())}
    served = {re.sub(r"_(bucket|count|sum)$", "", name) for name in _served()}
    assert served <= shown


def test_no_two_panels_of_the_dashboard_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(_dashboard_text())["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_all_that_compose_mounts_from_here_is_here() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    mounts = [
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]
    assert mounts
    assert [mount for mount in mounts if not (DEPLOY / mount).exists()] == []


def _dashboard_text() -> str:
    return (DEPLOY / "grafana" / "dashboard.json").read_text()
