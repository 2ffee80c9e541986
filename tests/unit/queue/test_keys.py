"""Names of keys: one slot for a queue, no two jobs in one key, and the page that documents them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.contract import Refusal, Task
from spanserve.contract.limits import ID_PATTERN
from spanserve.queue import JobId, Keys
from tests.kit.queue_rig import documented_keys, queued_task

ids = st.from_regex(ID_PATTERN, fullmatch=True)
jobs = st.builds(JobId, st.one_of(st.just(""), ids), st.one_of(st.just(""), ids), ids)


@given(job=jobs)
def test_a_job_as_text(job: JobId) -> None:
    """A job is read back from its text, whatever its ids."""
    assert job == JobId.parse(str(job))


@given(one=jobs, other=jobs)
def test_no_key_in_common(one: JobId, other: JobId) -> None:
    """Two jobs share no record; jobs of different runs share neither results nor events."""
    keys = Keys("q")
    assert (one == other) == (keys.job(one) == keys.job(other))
    runs = [(job.tenant, job.run_id) for job in (one, other)]
    same = runs[0] == runs[1]
    assert same == (keys.results(*runs[0]) == keys.results(*runs[1]))
    assert same == (keys.events(*runs[0]) == keys.events(*runs[1]))


def test_one_slot() -> None:
    """All keys of a queue hash by its name, so that a cluster keeps them together; those of another do not."""
    one, other = Keys("a"), Keys("b")
    job = JobId("t", "r", "x")
    for keys in (one, other):
        names = [*keys.of_job(job), keys.workers, keys.worker("w:{x}")]
        assert all(name.startswith(f"{{q:{keys.name}}}:") for name in names)
    assert set() == set(one.of_job(job)) & set(other.of_job(job))


def test_keys_of_a_job() -> None:
    """Keys of different meaning have different names, and scripts get each of them once."""
    names = Keys("q").of_job(JobId("", "", "x"))
    assert all(one != other for one, other in itertools.combinations(names, 2))


@pytest.mark.parametrize("text", ["", "x", "a/b", "a/b/c/d"], ids=["nothing", "one", "two", "four"])
def test_no_job(text: str) -> None:
    """A text that has not three parts is no job."""
    with pytest.raises(Refusal, match="tenant/run/task"):
        JobId.parse(text)


@pytest.mark.parametrize("name", ["", "a b", "{q}", "a/b", "é", "x" * 129, "a\n"], ids=repr)
def test_no_queue_name(name: str) -> None:
    """A queue's name follows the pattern of ids: nothing in it can be taken for a part of a key."""
    with pytest.raises(Refusal, match="queue"):
        Keys(name)


def test_job_of_a_task() -> None:
    """A task is identified by tenant, run and id."""
    task: Task = queued_task("x", run_id="r", tenant="t")
    assert JobId("t", "r", "x") == JobId.of(task)


def test_the_page() -> None:
    """layout.md names the keys that may stay for good, and they are few."""
    patterns = documented_keys()
    assert {":config", ":interactive", ":bulk", ":dead", ":dead:load", ":load"} == {
        name for name, lasting in patterns.items() if lasting
    }
    assert {":job:.*", ":tenant:.*", ":workers"} <= set(patterns)
