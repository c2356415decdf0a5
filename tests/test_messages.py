"""The list of all messages in messages.txt, where a review sees how a change words its errors."""

from source_tree import needs_sources, tool

pytestmark = needs_sources


def test_the_list_of_messages_is_up_to_date():
    messages = tool("messages")
    listed = messages.SNAPSHOT.read_text(encoding="utf-8").splitlines()
    # Versions of Python choose different quotes for the expressions in a message.
    found, listed = (sorted(line.replace('"', "'") for line in lines) for lines in (messages.messages(), listed))
    assert found == listed, "review the changed messages, then run: python tools/messages.py --write"


def test_a_message_is_found_with_its_kind_and_expressions(tmp_path):
    package = tmp_path / "src" / "crnn" / "room"
    package.mkdir(parents=True)
    (package / "checks.py").write_text('raise ValueError(\n    f"n is {n!r}. "\n    "Pass at least 1."\n)\n')
    (package / "kernel.pyx").write_text('raise MemoryError("out of memory")\n')
    assert tool("messages").messages(tmp_path) == [
        "room.checks: ValueError: n is {n!r}. Pass at least 1.",
        "room.kernel: MemoryError: out of memory",
    ]
