"""doctor looks and changes nothing."""

from importlib import metadata
from pathlib import Path

import pytest

from specfair.doors import doctor


def test_a_complete_machine(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "a").write_bytes(b"x" * 200_000)
    (tmp_path / "traces" / "a.corrupt").write_bytes(b"")
    lines, complete = doctor.examine(tmp_path)
    assert complete
    text = "\n".join(lines)
    assert "devices: " in text
    assert "cpu" in text
    assert "2 files, 0.2 MB, 1 set aside as damaged" in text


def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "NEEDED", (*doctor.NEEDED, "no-such-package"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    lines, complete = doctor.examine(tmp_path / "absent")
    assert not complete
    assert lines[-1].startswith("missing: no-such-package")
    assert any("offline (HF_HUB_OFFLINE)" in line for line in lines)
    assert any("0 files" in line for line in lines)


@pytest.mark.parametrize("name", ["\0", "x" * 300, "no/where"])
def test_a_store_that_cannot_be_is_empty(name: str) -> None:
    lines, _ = doctor.examine(Path(name))
    assert any(line.endswith(": 0 files, 0.0 MB") for line in lines)


@pytest.mark.parametrize("there", [True, False])
def test_what_transformers_would_do_here_depends_on_scikit_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    known = metadata.version

    def version(name: str) -> str:
        if name != "scikit-learn":
            return known(name)
        if there:
            return "1.7"
        raise metadata.PackageNotFoundError

    monkeypatch.setattr("specfair.models.identity.version", version)
    lines, _ = doctor.examine(tmp_path)
    usual = "adaptive-20@0.4" if there else "confidence-20@0.4"
    assert any(f"usual lookahead here: {usual} (" in line for line in lines)
