"""Does `benchmarks.shared_stream` measure what it says? Its figures are that command's to print."""

from benchmarks import shared_stream


def test_there_is_a_row_for_each_precision():
    lines = shared_stream.table([("gru", 5, 2)], 40, 1)
    assert len(lines) == 4
    assert "2 layers, H = 5, bfloat16" in lines[3]
    assert all(float(line.split("|")[2]) > 0 for line in lines[2:])
