"""What an edit costs, against reading and writing the file with a round-trip library."""

import io
import time
from collections.abc import Callable

import ruamel.yaml

from pilotage.edit import read_values, set_value, set_values

SERVICE = """\
# Service {n}: who owns it, and why it is pinned
service-{n}:
  image:
    repository: registry.example/shop/service-{n}
    tag: "1.{n}.0" # promoted
  replicas: 3
  env:
    - name: LOG_LEVEL
      value: info
"""
TEXT = "".join(SERVICE.format(n=n) for n in range(560))


def _quickest(act: Callable[[], object], times: int) -> float:
    durations = []
    for _ in range(times):
        began = time.process_time()
        act()
        durations.append(time.process_time() - began)
    return min(durations)


def test_setting_and_verifying_is_20_times_quicker_than_a_round_trip() -> None:
    """A values file of 5,000 lines: found, changed, and read again by two readers."""

    def round_trip() -> None:
        yaml = ruamel.yaml.YAML()
        data = yaml.load(TEXT)
        data["service-300"]["image"]["tag"] = "2.0.0"
        yaml.dump(data, io.StringIO())

    assert TEXT.count("\n") > 5000
    ours = _quickest(lambda: set_value(TEXT, "service-300.image.tag", "2.0.0"), 9)
    assert ours * 20 < _quickest(round_trip, 1)


def test_many_values_cost_little_more_than_one() -> None:
    """The text is parsed once for fifty services, to be read as well as to be set."""
    values = {f"service-{n}.image.tag": "2.0.0" for n in range(50)}
    one = _quickest(lambda: set_value(TEXT, "service-300.image.tag", "2.0.0"), 5)
    assert _quickest(lambda: set_values(TEXT, values), 5) < 8 * one
    assert _quickest(lambda: read_values(TEXT, values), 5) < 8 * one
