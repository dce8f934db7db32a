"""The commands of a lecture are shown so that a student can type them."""

from dlcourse.lecture.bench import Bench


def test_the_folder_of_an_earlier_run_is_shown_with_the_number_of_its_command(tmp_path):
    shown = []
    bench = Bench(tmp_path, started=shown.append)
    source = bench._next("train", ["data=mnist"])
    bench._show_command("train", ["init=from_run", f"init.run={source}", "regularizer=[l1]"])
    assert shown[1] == "dlcourse train init=from_run init.run=<run 1> 'regularizer=[l1]'"
