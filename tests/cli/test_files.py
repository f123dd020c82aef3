"""Files in any wrapping become one snapshot; what cannot be read is refused by name."""

import gzip
import hashlib
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from batchsched.cli.files import load
from batchsched.snapshot.errors import InputError

NODE = json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}).encode()
OTHER = b"apiVersion: v1\nkind: Node\nmetadata:\n  name: n2\n"


def names(*paths: Path | str) -> list[str]:
    return [node.name for node in load([str(path) for path in paths])[0].nodes]


def test_json_yaml_and_gzip_mix(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(NODE)
    (tmp_path / "b.yaml.gz").write_bytes(gzip.compress(OTHER))
    assert names(tmp_path / "a.json", tmp_path / "b.yaml.gz") == ["n1", "n2"]


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(gzip.compress(NODE))
    assert names(tmp_path / "dump") == ["n1"]


def test_a_folder_is_read_at_any_depth_and_other_files_are_left_alone(tmp_path: Path) -> None:
    for name, data in (
        ("z/deep/b.yml", OTHER),
        ("a.JSON", NODE),
        ("README.md", b"# [not yaml"),
        (".git/c.json", b"not json"),
        (".hidden.json", b"not json"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    assert names(tmp_path) == ["n1", "n2"]


def test_the_digest_is_that_of_the_bytes_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(NODE)
    (tmp_path / "b.yaml").write_bytes(OTHER)
    assert load([str(tmp_path)])[1] == hashlib.sha256(NODE + OTHER).hexdigest()


def test_standard_input_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(gzip.compress(NODE)))
    monkeypatch.setattr("sys.stdin", stdin)
    assert names("-") == ["n1"]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.json", b"", "is empty"),
        ("cut.json.gz", gzip.compress(NODE * 50, mtime=0)[:-9], "broken gzip"),
        ("no.json.gz", b"\x1f\x8bnot gzip at all", "broken gzip"),
        ("cut.json", NODE[:-3], "the file ends early"),
        ("image.json", b"\x89PNG\r\n\x1a\n\x00\xff", "UTF-8"),
    ],
    ids=["empty", "cut gzip", "no gzip", "cut", "image"],
)
def test_a_file_that_is_no_snapshot_is_refused_by_name(
    tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError) as refused:
        load([str(path)])
    assert str(refused.value).startswith(f"{path}: ")
    assert says in str(refused.value)


def test_what_cannot_be_opened_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.json: cannot be read: No such file"):
        load([str(tmp_path / "missing.json")])
    with pytest.raises(InputError, match=r"holds no \.json, \.yaml or \.yml file"):
        load([str(tmp_path)])
    with pytest.raises(InputError, match="cannot be read"):
        load(["a\x00b"])
    with pytest.raises(InputError, match="no snapshot was named"):
        load([])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.json"
    path.write_bytes(NODE)
    path.chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        load([str(path)])


def test_an_error_names_the_file_the_object_and_the_field(tmp_path: Path) -> None:
    bad = {"kind": "Node", "metadata": {"name": "n9"}, "status": {"allocatable": {"cpu": "-1"}}}
    (tmp_path / "bad.json").write_text(json.dumps(bad))
    with pytest.raises(InputError) as refused:
        load([str(tmp_path)])
    assert str(refused.value) == (
        f"{tmp_path}/bad.json: Node n9: status.allocatable.cpu: "
        "-1 is negative; a quantity must be at least 0"
    )
