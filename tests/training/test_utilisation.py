"""Model FLOPs utilisation."""

from __future__ import annotations

import pytest

from preceptor.training.utilisation import Peak, Utilisation, by_data_sheet, flops_per_token, peak_flops


def test_flops_of_a_token_are_six_a_weight_where_all_learn_and_four_where_adapters_do():
    assert flops_per_token(1000, 0, 2, 10, 0) == 6000
    assert flops_per_token(1000, 10, 2, 10, 0) == 4 * 1010 + 2 * 10
    assert flops_per_token(1000, 0, 2, 10, 100) == 6000 + 12 * 2 * 10 * 100


def test_the_share_is_of_all_devices():
    # PaLM 540B: 238,300 tokens/s on 6,144 chips of 275 TFLOPS, 46.2 % (Chowdhery et al. 2022, table 3).
    used = Utilisation(
        Peak(275e12, "data sheet"), flops_per_token(540_350_000_000, 0, 118, 18_432, 2048), 6144
    )
    assert used.of(238_300) == pytest.approx(0.462, abs=0.005)


@pytest.mark.parametrize(
    ("device", "tera"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A10G", 70),
        ("NVIDIA L40S", 362),
        ("NVIDIA L4", 121),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 NVL", 835),
        ("NVIDIA H100 PCIe", None),
        ("Tesla T4", None),
    ],
)
def test_a_known_device_has_the_peak_of_the_price_file(device, tera):
    found = by_data_sheet(device)
    assert found is None if tera is None else found == pytest.approx(tera * 1e12)


def test_an_unknown_device_is_measured():
    import torch

    peak = peak_flops(torch.float32)
    assert peak.source == "measured matrix product"
    assert 1e9 < peak.flops < 1e15
