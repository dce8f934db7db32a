"""The files of configs/ are parsed once for each process, and each composition gets a copy."""

import os

from conftest import CONFIGS
from omegaconf import open_dict

from dlcourse.schema import hydra_source
from dlcourse.schema.compose import compose_job, without_hydra


def test_a_changed_composition_does_not_change_the_next_one():
    first = compose_job(["optim=sgd"], None)
    before = without_hydra(first)
    with open_dict(first):
        first.optim.lr = 12.0
        first.model.new_key = 1
    hydra_source.files_read.clear()
    assert without_hydra(compose_job(["optim=sgd"], None)) == before  # parsed
    assert without_hydra(compose_job(["optim=sgd"], None)) == before  # copied


def test_a_file_that_has_changed_is_parsed_again():
    compose_job(["optim=sgd"], None)
    file = CONFIGS / "optim/sgd.yaml"
    changed = file.stat().st_mtime_ns
    assert (file, changed) in hydra_source.files_read
    try:
        os.utime(file, ns=(changed, changed + 10**9))
        compose_job(["optim=sgd"], None)
        assert (file, changed + 10**9) in hydra_source.files_read
    finally:
        os.utime(file, ns=(changed, changed))
