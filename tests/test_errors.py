"""Error messages and exit statuses of the command line."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from fashion.errors import BundleError, DataError, FashionError, InvalidImage, SettingError, one_line, one_line_errors
from fashion.files import write_atomically


@pytest.mark.parametrize("kind", [InvalidImage, DataError, BundleError, SettingError])
def test_an_error_of_the_user_is_a_one_line_error_and_status_2(kind, capsys):
    assert issubclass(kind, FashionError)
    with pytest.raises(SystemExit) as ended, one_line_errors():
        raise kind("the first\n  and the second line")
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "error: the first and the second line\n")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_names_the_file_and_what_to_do(number, capsys):
    with pytest.raises(SystemExit) as ended, one_line_errors():
        raise OSError(number, "No space left on device", "runs/one/model.onnx")
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "runs/one/model.onnx" in message
    assert "free some" in message


def test_a_folder_in_place_of_a_file_is_named_and_not_the_temporary_file(tmp_path, capsys):
    with pytest.raises(SystemExit), one_line_errors():
        write_atomically(tmp_path, b"")
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: Is a directory; ")


def test_a_really_full_disk(capsys):
    with pytest.raises(SystemExit), one_line_errors():
        Path("/dev/full").write_text("x")
    assert "no space left" in capsys.readouterr().err


def test_ctrl_c_is_status_130_without_a_traceback(capsys):
    with pytest.raises(SystemExit) as ended, one_line_errors():
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_closed_pipe_ends_quietly():
    program = (
        "from fashion.errors import one_line_errors\nwith one_line_errors():\n    for i in range(100_000): print(i)\n"
    )
    shell = f'"$0" -c "{program}" | head -1; exit "${{PIPESTATUS[0]}}"'
    ended = subprocess.run(["bash", "-c", shell, sys.executable], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("0\n", "", 141)


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.EACCES, "denied"), SystemExit(3)])
def test_other_errors_pass_untouched(error):
    with pytest.raises(type(error)) as raised, one_line_errors():
        raise error
    assert raised.value is error


def test_without_an_error_there_is_no_exit():
    with one_line_errors():
        done = True
    assert done


def test_one_line_folds_white_space():
    assert one_line(ValueError(" a\n\tb  c ")) == "a b c"
