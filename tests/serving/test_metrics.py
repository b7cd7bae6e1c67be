"""Prometheus' text format, number by number."""

import re

import pytest

from cnnctl.serving.metrics import BOUNDS, Metrics


def test_requests_seconds_and_gauges():
    metrics = Metrics(["/v1/predict"])
    for seconds in (0.0005, 0.001, 0.0011, 99.0):
        metrics.count("/v1/predict", 200, seconds)
    metrics.count('/"evil\n', 404, 0.2)
    metrics.images["answered"] += 4
    text = metrics.text({"cnnctl_queue_images": ("gauge", "Waiting.", 7)})
    lines = text.splitlines()
    assert text.endswith("\n")
    assert 'cnnctl_requests_total{path="/v1/predict",status="200"} 4' in lines
    assert 'cnnctl_requests_total{path="other",status="404"} 1' in lines
    assert 'cnnctl_images_total{outcome="answered"} 4' in lines
    assert 'cnnctl_images_total{outcome="refused"} 0' in lines
    assert "cnnctl_queue_images 7" in lines
    name = "cnnctl_request_duration_seconds"
    buckets = [int(line.rpartition(" ")[2]) for line in lines if line.startswith(f'{name}_bucket{{path="/v1/predict"')]
    assert buckets == [2, 3, *[3] * (len(BOUNDS) - 2), 4]
    assert f'{name}_bucket{{path="/v1/predict",le="+Inf"}} 4' in lines
    assert f'{name}_count{{path="/v1/predict"}} 4' in lines
    assert f'{name}_sum{{path="/v1/predict"}} 99.0026' in lines
    for line in lines:
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"\n]*",?)+\})? [-+.\deinf]+', line), line
    for typed in (line.split()[2] for line in lines if line.startswith("# TYPE")):
        assert text.count(f"# TYPE {typed} ") == 1


@pytest.mark.parametrize("number", [0, 999_999, 1_000_001, 123_456_789, 2**53 + 1, 2**63])
def test_counts_are_whole_numbers_of_any_size(number):
    metrics = Metrics(["/v1/predict"])
    metrics.images["answered"] = number
    lines = metrics.text({"cnnctl_batches_total": ("counter", "Batches.", number)}).splitlines()
    assert f"cnnctl_batches_total {number}" in lines
    assert f'cnnctl_images_total{{outcome="answered"}} {number}' in lines


@pytest.mark.parametrize("seconds", [0.000125, 1_234_567.000125, 123_456_789_012.0625, float(2**53)])
def test_a_sum_of_seconds_loses_no_digit(seconds):
    metrics = Metrics(["/v1/predict"])
    metrics.count("/v1/predict", 200, seconds)
    (line,) = (line for line in metrics.text({}).splitlines() if "_seconds_sum" in line)
    assert float(line.rpartition(" ")[2]) == seconds
