"""Work spread over processes, and over a Dask cluster."""

import subprocess
import sys
from pathlib import Path

import pytest

from darkmatter_features import workers
from darkmatter_features.errors import ConfigError
from darkmatter_features.workers import parallel

TASKS = [(k, 3) for k in range(7)]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_come_in_the_order_of_the_tasks(n_jobs):
    assert list(parallel(pow, TASKS, n_jobs=n_jobs)) == [k**3 for k in range(7)]


def test_relative_paths_lead_where_the_caller_stands(tmp_path, monkeypatch):
    for folder in ("first", "second"):  # the second call uses the processes of the first again
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        (tmp_path / folder / "name.txt").write_text(folder)
        assert list(parallel(Path.read_text, [(Path("name.txt"),)] * 2, n_jobs=2)) == [folder] * 2


def test_dask_does_the_same():
    """In a process of its own: a cluster leaves threads and open sockets behind."""
    code = """
from distributed import LocalCluster
from darkmatter_features.workers import parallel
if __name__ == "__main__":
    with LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        print(list(parallel(pow, [(k, 3) for k in range(7)], n_jobs=1, dask=cluster.scheduler_address)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([k**3 for k in range(7)])


def test_missing_scheduler_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 0.2)
    with pytest.raises(ConfigError, match="no Dask scheduler answers there"):
        list(parallel(pow, TASKS, n_jobs=1, dask="tcp://127.0.0.1:9"))


def test_missing_dask_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'darkmatter\[dask\]'"):
        list(parallel(pow, TASKS, n_jobs=1, dask="tcp://127.0.0.1:9"))
