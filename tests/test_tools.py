"""The programs in tools/ that no other test runs."""

import os
import zipfile
from types import SimpleNamespace

import pytest
from source_tree import ROOT, needs_sources, tool

import crnn

pytestmark = needs_sources


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "crnn-0-py3-none-linux_sparc.whl"  # which has the baseline alone
    with zipfile.ZipFile(path, "w") as archive:  # uncompressed: the sizes are the files' own
        for name, size in {
            "crnn/__init__.py": 7,
            "crnn/text/codes.py": 11,
            "crnn/_kernels/core.cpython-311-sparc-linux-gnu.so": 31,
            "crnn/_kernels/baseline/float32/kernels.cpython-311-sparc-linux-gnu.so": 101,
            "crnn/_kernels/baseline/float64/kernels.cpython-311-sparc-linux-gnu.so": 103,
            "crnn/_kernels/baseline/bfloat16/kernels.cpython-311-sparc-linux-gnu.so": 107,
            "crnn/_kernels/baseline/int8/kernels.cpython-311-sparc-linux-gnu.so": 97,
        }.items():
            archive.writestr(name, bytes(size))
    return path


def test_a_build_of_the_kernels_is_one_part_of_a_wheel(wheel):
    kernels = {"baseline/float32": 101, "baseline/float64": 103, "baseline/bfloat16": 107, "baseline/int8": 97}
    assert tool("release").sizes(wheel) == kernels | {"compiled once": 31, "Python": 18}


def test_the_builds_that_a_wheel_must_have():
    wanted = tool("release").wanted_builds
    linux = wanted("crnn-0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
    assert len(linux) == 15
    assert wanted("crnn-0-cp314-cp314t-musllinux_1_2_x86_64.whl") == linux
    assert wanted("crnn-0-cp311-cp311-win_amd64.whl") == [name for name in linux if name != "amx/bfloat16"]
    assert wanted("crnn-0-cp311-cp311-macosx_11_0_x86_64.whl") == wanted("crnn-0-cp311-cp311-win_amd64.whl")
    baseline = [f"baseline/{kind}" for kind in ("float32", "float64", "bfloat16", "int8")]
    assert wanted("crnn-0-cp311-cp311-macosx_11_0_arm64.whl") == baseline
    assert wanted("crnn-0-cp311-cp311-manylinux_2_28_aarch64.whl") == [*baseline, "neon_dotprod/int8"]


def test_a_wheel_of_one_machine_or_with_modules_for_tests_is_a_fault(wheel):
    fault, found = tool("release").wheel_fault, wheel.with_name("crnn-0-cp311-cp311-linux_aarch64.whl")
    found.write_bytes(wheel.read_bytes())
    assert fault(found) == "the kernels for neon_dotprod/int8 are missing: build with CRNN_BUILD=all"
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("crnn/_kernels/baseline/float32/for_tests.cpython-311-sparc-linux-gnu.so", b"")
    assert "for_tests" in fault(wheel)


def test_a_wheel_or_a_part_too_large_is_a_fault(wheel, monkeypatch):
    release = tool("release")
    monkeypatch.setattr(release, "glibc", lambda shown, local: (2, 17))
    monkeypatch.setattr(release.subprocess, "run", lambda *given, **more: SimpleNamespace(stdout=""))
    assert release.wheel_fault(wheel) is None
    for limit, message in (("MAX_BYTES", "more than 106"), ("MAX_BUILD_BYTES", "baseline/bfloat16")):
        with monkeypatch.context() as patch:
            patch.setattr(release, limit, 106)
            assert message in release.wheel_fault(wheel)


def test_a_wheel_of_this_machine_has_its_libm():
    shown = (
        'crnn-0-cp311-cp311-linux_x86_64.whl is consistent with the following platform tag: "manylinux_2_31_x86_64". '
        "The wheel references external versioned symbols in these system-provided shared libraries: libc.so.6 with "
        "versions {'GLIBC_2.17', 'GLIBC_2.2.5'}, libm.so.6 with versions {'GLIBC_2.29'}"
    )
    for local, needed in ((True, (2, 17)), (False, (2, 31))):
        assert tool("release").glibc(shown, local=local) == needed
        assert tool("release").glibc("no tag", local=local) is None


def test_the_tests_that_tools_run_exist():
    for files in tool("sanitize").TESTS.values():
        assert all((ROOT / "tests" / file).exists() for file in files)
    assert all((ROOT / file).exists() for file in tool("emulated").TESTS)


@pytest.fixture
def release(monkeypatch):
    """The tool that checks a release, and the files of a complete one."""
    tools = tool("release")
    monkeypatch.setattr(tools, "version", lambda: "1.2.3")
    monkeypatch.setattr(tools, "pythons", lambda: ["cp311", "cp314", "cp314t"])
    tags = ["cp311-cp311", "cp314-cp314", "cp314-cp314t"]
    platforms = [
        *(f"{libc}_{machine}" for libc in ("manylinux_2_28", "musllinux_1_2") for machine in ("x86_64", "aarch64")),
        "macosx_10_13_x86_64",
        "macosx_11_0_arm64",
        "win_amd64",
    ]
    return tools, ["crnn-1.2.3.tar.gz", *(f"crnn-1.2.3-{tag}-{name}.whl" for tag in tags for name in platforms)]


CHANGES = "# Changelog\n\n## [1.2.3] - 2026-12-01\n"


def test_faults_of_a_release_are_named(release):
    tools, files = release
    assert tools.release_faults("v1.2.3", CHANGES, files) == []
    assert tools.release_faults("v1.2.3", CHANGES, []) == []  # before the tag is pushed
    assert tools.release_faults("v1.2.4", CHANGES, files) == [
        "the tag is v1.2.4, but the version of the sources is 1.2.3: the tag must be v1.2.3"
    ]
    for heading in ("## [1.2.3] - unreleased", "## [1.2.2] - 2026-12-01"):
        fault = "CHANGELOG.md has no heading '## [1.2.3] - YYYY-MM-DD'"
        assert tools.release_faults("v1.2.3", heading, files) == [fault]
    for file, what in (
        ("crnn-1.2.3.tar.gz", "crnn-1.2.3.tar.gz"),
        ("crnn-1.2.3-cp314-cp314t-win_amd64.whl", "the wheel of cp314t for win_amd64"),
        ("crnn-1.2.3-cp311-cp311-musllinux_1_2_aarch64.whl", "the wheel of cp311 for musllinux.*aarch64"),
    ):
        rest = [name for name in files if name != file]
        assert tools.release_faults("v1.2.3", CHANGES, rest) == [f"{what} is missing"]
    for file in ("crnn-1.2.2-cp311-cp311-win_amd64.whl", "other-1.2.3.tar.gz"):
        fault = f"{file} does not belong to this release"
        assert tools.release_faults("v1.2.3", CHANGES, [*files, file]) == [fault]


def test_what_is_true_only_before_a_release_is_found(tmp_path):
    release = tool("release")
    (tmp_path / "docs" / "recipes").mkdir(parents=True)
    (tmp_path / "packaging" / "conda-forge").mkdir(parents=True)
    for name in (*release.TEXTS, *release.PACKAGED):
        (tmp_path / name).write_text("")
    assert release.unfinished(tmp_path) == []
    (tmp_path / "CONTRIBUTING.md").write_text("unreleased\n")  # tells where to replace the word
    (tmp_path / "docs" / "recipes" / "page.md").write_text("Until the first release\nnot on the package index yet\n")
    found = [(1, "the first release"), (2, "on the package index")]
    assert release.unfinished(tmp_path) == [f"docs/recipes/page.md:{line}: {text!r}" for line, text in found]


def test_what_the_publisher_must_fill_in_is_named(tmp_path):
    release = tool("release")
    (tmp_path / "packaging").mkdir()
    (tmp_path / release.PUBLISHER).write_text('repository = "https://example.net/a"\nconduct = ""\nauthors = []\n')
    assert release.blanks(tmp_path) == [
        "packaging/publisher.toml: conduct is empty",
        "packaging/publisher.toml: authors is empty",
    ]


def test_wheels_are_wanted_of_the_pythons_that_are_built():
    assert "cp311" in tool("release").pythons()
    assert tool("release").version() == crnn.__version__


def test_the_tests_of_an_installed_wheel_find_no_compiler(tmp_path):
    tools = tool("release")
    path = tools.environment(tmp_path)["PATH"].split(os.pathsep)
    assert path[0] == str(tmp_path)
    for name in ("gcc", "gcc.exe"):
        (tmp_path / name).touch(mode=0o755)
    with pytest.raises(RuntimeError, match="there is a compiler"):
        tools.environment(tmp_path)


def test_guides_that_were_left_out_are_named(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite>"
        '<testcase classname="tests.test_docs" name="test_blocks[a.md]"/>'
        '<testcase classname="tests.test_docs" name="test_blocks[b.md]"><skipped message="no torch"/></testcase>'
        '<testcase classname="tests.test_tools" name="test_c"><skipped message="no sources"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert tool("release").skipped_guides(report) == ["test_blocks[b.md]"]


def test_tests_of_an_installed_wheel_may_follow_an_option(monkeypatch, tmp_path):
    tools, calls = tool("release"), []
    monkeypatch.setattr(tools, "install", lambda folder, wheels, packages: (packages, {}))
    monkeypatch.setattr(tools, "run", lambda *given, guides: calls.append((given[0], given[3], guides)) or 7)
    for arguments in (["w"], ["w", "--all", "tests/test_docs.py"]):
        monkeypatch.setattr("sys.argv", ["release.py", "test", *arguments])
        assert tools.main() == 7
    assert calls == [([], ["tests"], False), (tools.group("peers"), ["tests/test_docs.py"], True)]
    assert "torch>=2.5" in tools.group("peers")


def test_an_emulated_debian_reaches_the_network_as_this_machine_does(monkeypatch, tmp_path):
    emulated, machine = tool("emulated"), tmp_path / "machine"
    monkeypatch.setattr(emulated, "ROOT", tmp_path)
    debian = tmp_path / "build" / "emulated-arm64"
    for folder in (machine, debian):
        (folder / "etc/ssl/certs").mkdir(parents=True)
    (debian / "etc/debootstrap-is-complete").touch()
    (debian / "etc/ssl/certs/ca-certificates.crt").write_text("Debian's")
    for name in ("etc/resolv.conf", "etc/pip.conf"):
        (machine / name).write_text(name)
    assert emulated.system("arm64", machine) == debian
    assert (debian / "etc/resolv.conf").read_text() == "etc/resolv.conf"
    assert (debian / "etc/pip.conf").read_text() == "etc/pip.conf"
    assert (debian / "etc/ssl/certs/ca-certificates.crt").read_text() == "Debian's"


def test_the_page_of_trials_keeps_the_rows_of_other_promises(tmp_path):
    reliability, page = tool("reliability"), tmp_path / "page.md"
    page.write_text(f"before\n{reliability.HEADER}| `kill` | 7 | 0 | | |\n")
    reliability.write_trials(page, {"bits": "| `bits` | 11 | 0 | | |"}, ["bits", "kill", "soak"])
    rows = "| `bits` | 11 | 0 | | |\n| `kill` | 7 | 0 | | |\n| `soak` | not tried | | | |\n"
    assert page.read_text() == f"before\n{reliability.HEADER}{rows}"


def test_no_failure_in_n_trials_leaves_three_nths_possible():
    highest_rate = tool("reliability").highest_rate
    assert highest_rate(0, 300) == "below 0.01"
    assert highest_rate(1, 100) == "below 0.05"  # 4.74 expected failures give at most one with a probability of 5 %
    assert highest_rate(0, 2) == "below 1"
    assert highest_rate(0, 0) == ""
