"""Credential references: what they may name, and that a secret never shows."""

import pickle

import pytest

from portal.credentials import CredentialError, Secret, resolve


@pytest.fixture
def folder(settings, tmp_path):
    settings.CREDENTIALS_DIR = str(tmp_path / "credentials")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "outside").write_text("outside")
    return tmp_path / "credentials"


def test_a_variable_with_the_prefix_is_read_anew_each_time(monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_CI", " first\n")
    assert resolve("env:STAGEDOOR_CREDENTIAL_CI").reveal() == "first"
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_CI", "second")
    assert resolve("env:STAGEDOOR_CREDENTIAL_CI").reveal() == "second"


def test_other_variables_need_the_operators_word(monkeypatch, settings):
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    with pytest.raises(CredentialError, match="CREDENTIAL_ENV") as caught:
        resolve("env:DATABASE_URL")
    assert "postgresql" not in str(caught.value)
    monkeypatch.setenv("BUILDKITE_TOKEN", "listed")
    settings.CREDENTIAL_ENV = ["BUILDKITE_*"]
    assert resolve("env:BUILDKITE_TOKEN").reveal() == "listed"


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_an_unset_or_empty_variable_is_named(monkeypatch, value):
    monkeypatch.delenv("STAGEDOOR_CREDENTIAL_X", raising=False)
    if value is not None:
        monkeypatch.setenv("STAGEDOOR_CREDENTIAL_X", value)
    with pytest.raises(CredentialError, match="env:STAGEDOOR_CREDENTIAL_X"):
        resolve("env:STAGEDOOR_CREDENTIAL_X")


def test_a_file_below_the_folder_is_read(folder):
    (folder / "team").mkdir()
    (folder / "team" / "token").write_text("ünicode\n", encoding="utf-8")
    assert resolve("file:team/token").reveal() == "ünicode"


def test_a_link_inside_the_folder_is_read_as_kubernetes_mounts_it(folder):
    (folder / "..2026_11").mkdir()
    (folder / "..2026_11" / "token").write_text("linked")
    (folder / "token").symlink_to("..2026_11/token")
    assert resolve("file:token").reveal() == "linked"


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "away", "", ".", "a\x00b", "none"])
def test_a_file_outside_the_folder_is_refused(folder, name):
    (folder / "away").symlink_to(folder.parent / "outside")
    with pytest.raises(CredentialError):
        resolve(f"file:{name}")


def test_files_are_refused_without_a_folder(settings):
    settings.CREDENTIALS_DIR = ""
    with pytest.raises(CredentialError, match="CREDENTIALS_DIR"):
        resolve("file:token")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 100_000])
def test_a_file_that_is_no_credential_is_refused(folder, content):
    (folder / "token").write_bytes(content)
    with pytest.raises(CredentialError, match="file:token"):
        resolve("file:token")


@pytest.mark.parametrize("pasted", ["s3cr3t", "admin:s3cr3t", "vault:s3cr3t", "aws-sm:s3cr3t", ""])
def test_other_references_are_refused_without_showing_a_pasted_secret(pasted):
    with pytest.raises(CredentialError, match="env:NAME or file:name") as caught:
        resolve(pasted)
    assert "s3cr3t" not in str(caught.value)


def test_a_secret_shows_itself_nowhere():
    secret = Secret("s3cr3t")
    assert "s3cr3t" not in f"{secret} {secret!r} {[secret]} {secret!s:>20}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret, protocol=5)
