"""Each limit on the number of cores, read from a made-up /sys and /proc."""

from pathlib import Path

import pytest

from crnn.runtime import cores
from crnn.runtime.cores import cgroup_quota, physical_cores, usable_cores, variable_limit

EIGHT = frozenset(range(8))


def write(root: Path, **files: str) -> Path:
    """Write files, given as path=text, below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def siblings(root: Path, lists: list[str], file: str = "core_cpus_list") -> Path:
    folder = "sys/devices/system/cpu"
    return write(root, **{f"{folder}/cpu{i}/topology/{file}": f"{text}\n" for i, text in enumerate(lists)})


@pytest.fixture
def eight_processors(monkeypatch):
    monkeypatch.setattr(cores, "affinity", lambda: EIGHT)


@pytest.mark.parametrize("file", ["core_cpus_list", "thread_siblings_list"])
def test_hyper_threads_of_a_core_count_once(tmp_path, file):
    root = siblings(tmp_path, ["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"], file)
    assert physical_cores(EIGHT, root) == 4
    assert physical_cores(frozenset({0, 4}), root) == 1


def test_no_topology(tmp_path):
    assert physical_cores(EIGHT, tmp_path) is None


@pytest.mark.parametrize(
    ("text", "granted"), [("150000 100000", 2), ("300000 100000", 3), ("50000 100000", 1), ("max 100000", None),
                       ("300000", 3), ("300001 ", 4), ("90000 30000", 3), ("0 100000", None)]
)
def test_quota_of_version_2(tmp_path, text, granted):
    files = {"proc/self/cgroup": "0::/jobs/mine\n", "sys/fs/cgroup/jobs/mine/cpu.max": f"{text}\n"}
    assert cgroup_quota(write(tmp_path, **files)) == granted


def test_quota_of_a_parent_holds(tmp_path):
    files = {
        "proc/self/cgroup": "0::/jobs/mine\n",
        "sys/fs/cgroup/jobs/mine/cpu.max": "700000 100000\n",
        "sys/fs/cgroup/jobs/cpu.max": "300000 100000\n",
    }
    assert cgroup_quota(write(tmp_path, **files)) == 3


def test_quota_of_a_container_that_does_not_see_its_path(tmp_path):
    files = {"proc/self/cgroup": "0::/docker/0123abc\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}
    assert cgroup_quota(write(tmp_path, **files)) == 2


@pytest.mark.parametrize(("quota", "granted"), [("250000", 3), ("-1", None)])
@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_quota_of_version_1(tmp_path, folder, quota, granted):
    files = {
        "proc/self/cgroup": "7:memory:/other\n4:cpu,cpuacct:/mine\n0::/\n",
        f"sys/fs/cgroup/{folder}/mine/cpu.cfs_quota_us": f"{quota}\n",
        f"sys/fs/cgroup/{folder}/mine/cpu.cfs_period_us": "100000\n",
    }
    assert cgroup_quota(write(tmp_path, **files)) == granted


def test_quota_without_its_period(tmp_path):
    files = {"proc/self/cgroup": "4:cpu:/mine\n", "sys/fs/cgroup/cpu/mine/cpu.cfs_quota_us": "300001\n"}
    assert cgroup_quota(write(tmp_path, **files)) == 4


@pytest.mark.parametrize("text", ["", "garbage", "0::", "5:cpu:\n0::/../..\n"])
def test_strange_cgroup_file(tmp_path, text):
    assert cgroup_quota(write(tmp_path, **{"proc/self/cgroup": text})) is None


@pytest.mark.parametrize(("value", "limit"), [("3", 3), ("5,2", 5), ("0", None), ("-1", None), ("x", None), ("", None)])
def test_variable(value, limit):
    assert variable_limit(value) == limit


@pytest.mark.usefixtures("eight_processors")
class TestLeastOfAll:
    def test_affinity_alone(self, tmp_path):
        assert usable_cores(tmp_path, {}) == 8

    def test_physical_cores(self, tmp_path):
        assert usable_cores(siblings(tmp_path, ["0-1", "0-1", "2-3", "2-3", "4-5", "4-5", "6-7", "6-7"]), {}) == 4

    def test_quota(self, tmp_path):
        files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "420000 100000\n"}
        assert usable_cores(write(tmp_path, **files), {}) == 5

    @pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"])
    def test_variable(self, tmp_path, name):
        assert usable_cores(tmp_path, {name: "3"}) == 3
