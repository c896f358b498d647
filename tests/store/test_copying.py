"""A lake is copied to S3 and back: the same tables, each file checked, an interrupted copy goes on where it was."""

import shutil

import pytest
from store.test_lake_on_s3 import ran, require_same
from tiny_bank import with_train, write_leavers, write_tiny_bank
from typer.testing import CliRunner

from tenure import cli
from tenure.errors import DamagedLake, InvalidConfig, StoreError
from tenure.session.moving import copy_lake
from tenure.storage.s3 import S3Location
from tenure.store import copying
from tenure.store.identity import read_identity
from tenure.store.integrity import survey
from tenure.store.lake import Lake


@pytest.fixture(scope="module")
def built(tmp_path_factory, s3_settings):
    folder = write_tiny_bank(tmp_path_factory.mktemp("copy") / "bank")
    write_leavers(folder / "data")
    settings = "\n[verify]\ncustomers = 0\n"
    s3 = f'\n[s3]\nendpoint = "{s3_settings.endpoint}"\nregion = "us-east-1"\npath_style = true\n'
    (folder / "tenure.toml").write_text(
        with_train((folder / "tenure.toml").read_text(), 'models = ["rule"]') + settings + s3
    )
    ran(folder)
    return folder


@pytest.fixture
def bank(built, tmp_path):
    return shutil.copytree(built, tmp_path / "bank")


def use(bank, place):
    file = bank / "tenure.toml"
    file.write_text(f'{file.read_text()}\n[lake]\npath = "{place}"\n')


def test_a_project_moves_to_s3_and_back_by_one_line(bank, prefix):
    done = copy_lake(bank, "lake", str(prefix))
    assert done.files == done.sent > 40
    require_same(Lake(bank / "lake"), Lake(prefix))
    use(bank, prefix)
    assert set(ran(bank).values()) == {"current"}
    copy_lake(bank, str(prefix), "back")
    require_same(Lake(prefix), Lake(bank / "back"))
    with Lake(bank / "back").locked():
        found = survey(Lake(bank / "back"))
    assert (found.damages, found.strangers) == ((), ())


def test_a_copy_that_broke_off_goes_on(bank, prefix, monkeypatch):
    whole, sent = copying.put, []

    def breaks_off(file, place):
        if len(sent) == 20:
            raise ConnectionError("broken off")
        sent.append(place)
        whole(file, place)

    monkeypatch.setattr(copying, "put", breaks_off)
    with pytest.raises(Exception, match="copying the lake 'lake'"):
        copy_lake(bank, "lake", str(prefix))
    with pytest.raises(StoreError, match=r"_lake\.json' is gone"):
        read_identity(prefix)
    monkeypatch.setattr(copying, "put", whole)
    done = copy_lake(bank, "lake", str(prefix))
    assert done.sent < done.files
    require_same(Lake(bank / "lake"), Lake(prefix))


def test_a_damaged_file_is_not_copied(bank, prefix):
    file = Lake(bank / "lake").require("labels").files[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedLake, match=rf"{file.name}' is not as it was written"):
        copy_lake(bank, "lake", str(prefix))
    assert not (prefix / "labels" / file.name).exists()


def test_no_lake_is_written_over(bank, prefix):
    copy_lake(bank, "lake", str(prefix))
    with pytest.raises(StoreError, match="is a lake already"):
        copy_lake(bank, "lake", str(prefix))
    with pytest.raises(StoreError, match="is no lake yet"):
        copy_lake(bank, "nothing", "elsewhere")
    assert not (bank / "elsewhere").exists()
    with pytest.raises(InvalidConfig, match="TO is 'gs://x/y'"):
        copy_lake(bank, "lake", "gs://x/y")


def test_the_verb_says_what_it_did_and_what_to_do(bank):
    done = CliRunner().invoke(cli.app, ["lake", "copy", "lake", "copied", "--project", str(bank)])
    assert done.exit_code == 0
    assert "of them copied now" in done.stdout
    assert "Set [lake] path = 'copied'" in done.stdout
    assert isinstance(Lake(bank / "copied").folder, type(bank))
    assert not isinstance(Lake(bank / "copied").folder, S3Location)
