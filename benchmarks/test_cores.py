"""Does `benchmarks.cores` predict what it says? Its figures are that command's to print."""

import pytest

from benchmarks import cores
from benchmarks.core_model import BARRIERS_PER_POSITION, BARRIERS_PER_STEP, Machine, Step, step_seconds

FREE = Machine(core_bandwidth=1e30, bandwidth=1e30, handoff=0.0)
# 64 streams whose weights fill half a second-level cache: two shards, and groups of at most 256 / 32 threads
STEP = Step(256, 1, 64, 50, recurrent_bytes=1_000_000, parameter_bytes=1_200_000, state_arrays=2)


def test_products_are_divided_until_no_thread_has_a_smaller_part():
    times = [step_seconds(1.0, STEP, n, FREE) for n in (1, 2, 4, 16, 64)]
    assert times == pytest.approx([1.0, 1 / 2, 1 / 4, 1 / 16, 1 / 16])


def test_uneven_parts_count_as_the_largest():
    uneven = STEP._replace(batch_size=63)
    assert step_seconds(1.0, uneven, 2, FREE) == pytest.approx(32 / 63)


def test_memory_is_divided_up_to_the_bandwidth():
    slow = Machine(core_bandwidth=1e9, bandwidth=3e9, handoff=0.0)
    moved = STEP.memory_bytes
    assert moved == 2 * 2 * 1_200_000 + 2 * 3 * 1_200_000
    assert step_seconds(moved / 1e9, STEP, 2, slow) == pytest.approx(moved / 2e9)
    assert step_seconds(moved / 1e9, STEP, 8, slow) == pytest.approx(moved / 3e9)


def test_barriers_of_a_group_come_at_each_position():
    slow = Machine(core_bandwidth=1e30, bandwidth=1e30, handoff=1e-3)
    of_group = BARRIERS_PER_POSITION * 50 * 3e-3  # two threads share a shard
    assert step_seconds(0.0, STEP, 4, slow) == pytest.approx(BARRIERS_PER_STEP * 5e-3 + of_group)


def test_the_tables_are_written_between_their_markers(tmp_path):
    page = tmp_path / "cores.md"
    page.write_text(f"# A\n{cores.BEGIN}\nold\n{cores.END}\n# B\n")
    small = ["--sizes", "rnn:16:8", "lstm:16:16", "--steps", "24", "--repeats", "1", "--elements", "10000"]
    cores.main([*small, "--page", str(page)])
    text = page.read_text()
    assert "old" not in text
    assert text.count("| lstm 16 | 16 |") == 2
    assert "64 cores" in text
    assert text.endswith("# B\n")
