"""TorchServe's keys: reading them, and passing them to nginx."""

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving.keys import KeyFileError, main, read_key, read_token, update_proxy_key, write_include

ROOT = Path(__file__).parent.parent


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return write_keys(tmp_path / "key_file.json", "_TwU_7H8")


def write_keys(file: Path, inference: object) -> Path:
    """A key file as TorchServe writes it."""
    keys = {"management": {"key": "2YF3oU80", "expiration time": "2027-11-23T16:13:26.88Z"}}
    keys["inference"] = {"key": inference, "expiration time": "2027-11-23T16:13:26.88Z"}  # type: ignore[dict-item]
    file.write_text(json.dumps(keys | {"API": {"key": "qqIvd2RW"}}, indent=2))
    return file


def test_both_keys_are_read(key_file: Path) -> None:
    assert read_key(key_file) == "_TwU_7H8"
    assert read_key(key_file, "management") == "2YF3oU80"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"inference": null}', '{"inference": {"key": 5}}'])
def test_a_file_without_the_key_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "key_file.json").write_text(content)
    with pytest.raises(KeyFileError, match="holds no key for inference"):
        read_key(tmp_path / "key_file.json")
    with pytest.raises(KeyFileError, match=r"no keys in .*: No such file"):
        read_key(tmp_path / "nowhere.json")


@pytest.mark.parametrize("key", ['a"; return 200 "', "a b", "a\nb", "$key", "", "a;"])
def test_a_key_with_nginx_syntax_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(KeyFileError, match="holds no key"):
        update_proxy_key(write_keys(tmp_path / "key_file.json", key), tmp_path / "key.conf")
    assert not (tmp_path / "key.conf").exists()


def test_a_token_is_given_directly_or_in_a_file(tmp_path: Path, key_file: Path) -> None:
    (tmp_path / "token").write_text("abc.DEF-1\n")
    assert [read_token("abc"), read_token(f"@{tmp_path / 'token'}"), read_token(f"@{key_file}")] == [
        "abc",
        "abc.DEF-1",
        "_TwU_7H8",
    ]


def test_invalid_tokens_are_reported(tmp_path: Path) -> None:
    (tmp_path / "two").write_text("a\nb")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for given, message in (
        ("", "is not a token"),
        ("a b", "is not a token"),
        (f"@{tmp_path / 'two'}", "is not a token"),
        (f"@{tmp_path / 'bytes'}", "not text"),
        ("@nowhere", "No such file"),
    ):
        with pytest.raises(KeyFileError, match=message):
            read_token(given)


def test_the_include_is_private_and_written_only_on_changes(tmp_path: Path) -> None:
    out = tmp_path / "key.conf"
    assert write_include("abc", out)
    assert out.read_text() == 'proxy_set_header Authorization "Bearer abc";\n'
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert not write_include("abc", out)
    assert write_include("def", out)
    assert list(tmp_path.iterdir()) == [out]


def test_an_include_that_cannot_be_written_is_reported(tmp_path: Path, key_file: Path) -> None:
    (tmp_path / "full").write_text("no folder")
    with pytest.raises(KeyFileError, match=r"full/key\.conf cannot be written: "):
        update_proxy_key(key_file, tmp_path / "full" / "key.conf")


def test_a_reload_that_fails_is_reported(tmp_path: Path, key_file: Path) -> None:
    out = tmp_path / "key.conf"
    for command, message in (
        ("sh -c 'echo first; echo no nginx >&2; exit 3'", "status 3: no nginx"),
        ("false", "status 1: it printed nothing"),
        ("/nowhere/nginx -s reload", "cannot be run: No such file"),
    ):
        with pytest.raises(KeyFileError, match=message):
            update_proxy_key(key_file, out, command)
    assert not update_proxy_key(key_file, out, f"touch {tmp_path / 'reloaded'}")
    assert (tmp_path / "reloaded").exists(), (
        "reload although the file is unchanged, because the earlier attempts failed"
    )


def test_the_command_line(tmp_path: Path, key_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "key.conf"
    assert main(["--file", str(key_file)]) == 0
    assert main(["--file", str(key_file), "--role", "management"]) == 0
    assert main(["--file", str(key_file), "--nginx", str(out)]) == 0
    assert main(["--file", str(key_file), "--nginx", str(out)]) == 0
    assert capsys.readouterr().out == f"_TwU_7H8\n2YF3oU80\n{out}: written\n{out}: up to date\n"
    for wrong in (["--watch"], ["--reload", "true"], ["--nginx", str(out), "--role", "management"]):
        with pytest.raises(SystemExit) as stop:
            main(wrong)
        assert stop.value.code == 2
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["--file", str(tmp_path / "nowhere")])
    error = capsys.readouterr().err
    assert error.startswith("error: no keys in")
    assert len(error.splitlines()) == 1


def test_watching_outlives_an_include_that_cannot_be_written(tmp_path: Path, key_file: Path) -> None:
    full = tmp_path / "full"
    full.write_text("no folder yet")
    out = full / "key.conf"
    arguments = ["--file", str(key_file), "--nginx", str(out), "--watch"]
    code = f"from serving import keys; keys.RETRY = 0.1; keys.main({arguments!r})"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout
        assert watcher.stderr
        try:
            assert watcher.stderr.readline().startswith(f"error: {out} cannot be written: ")
            full.unlink()
            assert watcher.stdout.readline().startswith(f"{out}: key of 20")
        finally:
            watcher.send_signal(signal.SIGINT)
            watcher.communicate(timeout=60)
    assert "_TwU_7H8" in out.read_text()


def test_every_new_key_is_handed_over(tmp_path: Path) -> None:
    file, out, count = tmp_path / "key_file.json", tmp_path / "key.conf", tmp_path / "reloads"
    command = [sys.executable, "-m", "serving.keys", "--file", str(file), "--nginx", str(out), "--watch"]
    command += ["--reload", f"sh -c 'echo reloaded >> {count}'"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout
        try:
            time.sleep(0.3)  # no key file yet, as before TorchServe's first start
            for key in ("first", "second"):
                write_keys(file, key)
                assert watcher.stdout.readline().startswith(f"{out}: key of 20")
                assert out.read_text() == f'proxy_set_header Authorization "Bearer {key}";\n'
        finally:
            watcher.send_signal(signal.SIGINT)
        printed, errors = watcher.communicate(timeout=60)
    assert count.read_text() == "reloaded\nreloaded\n"
    assert (watcher.returncode, printed, errors) == (130, "", "interrupted\n")
