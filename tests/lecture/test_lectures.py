"""Each lecture runs in its smoke form, and its page in the docs is the one that was generated."""

import re

import pytest
from conftest import CONFIGS, ROOT

from dlcourse.lecture.page import page_markdown
from dlcourse.lecture.run_lecture import PAGE_FILE, one_fork_server, run_lecture
from dlcourse.lecture.site import PAGES, site_page
from dlcourse.lecture.syllabus import TOPICS
from dlcourse.lecture.topic import read_topic

SOURCE = ROOT / "src/dlcourse/lecture"
WRITTEN = [name for name in TOPICS if (SOURCE / "pages" / f"{name}.md").exists()]
HEADINGS = ("The idea", "Run it", "What to see", "Try next", "Reference")


@pytest.fixture(scope="module", autouse=True)
def _fork_server():
    """Fork the jobs of all sweeps from one process."""
    with one_fork_server():
        yield


@pytest.mark.parametrize("name", WRITTEN)
def test_a_lecture_runs_in_its_smoke_form(name, tmp_path, monkeypatch, data_root):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLCOURSE_DATA", str(data_root))
    topic = read_topic(name)
    folder, record = run_lecture(topic, "smoke")
    assert record["claims"]
    assert record["images"]
    page = (folder / PAGE_FILE).read_text("utf-8")
    for heading in HEADINGS:
        assert f"<h2>{heading}</h2>" in page
    shown = re.findall(r'<img src="images/(.*?).png"', page)
    assert sorted(set(shown)) == record["images"], "an image that no page shows is not needed"
    assert page_markdown(topic, record, "images/").count("dlcourse ") > len(record["commands"]) + 3


@pytest.mark.parametrize("name", WRITTEN)
def test_a_page_of_the_docs_is_generated_from_its_stored_numbers(name):
    topic = read_topic(name)
    stored = (PAGES / f"{name}.md").read_text("utf-8")
    assert stored == site_page(topic), f"type dlcourse lecture {name} --page --stored"


@pytest.mark.parametrize("name", WRITTEN)
def test_a_page_has_three_exercises_with_commands(name):
    text = read_topic(name).text
    exercises = text.partition("## Try next")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\d\. ", exercises, re.MULTILINE)) >= 3
    assert len(re.findall(r"^ *(dlcourse|python) \S", exercises, re.MULTILINE)) >= 3


def test_every_preset_of_a_lecture_is_used_by_it():
    for preset in (CONFIGS / "experiment/lecture").glob("*.yaml"):
        used = [
            path
            for path in SOURCE.glob("topics/*.py")
            if re.search(rf"experiment=lecture/{preset.stem}\b", path.read_text("utf-8"))
        ]
        assert used, f"no lecture uses experiment=lecture/{preset.stem}"
