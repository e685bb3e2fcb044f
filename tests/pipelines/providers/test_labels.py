"""Names that a person's parameters may not have."""

import pytest

from pipelines.providers.base import StartRequest
from pipelines.providers.errors import Rejected
from pipelines.providers.labels import refuse_reserved, variables


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "Path", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "ENV", "IFS", "PS4"),
        *("PYTHONPATH", "PYTHONSTARTUP", "NODE_OPTIONS", "GIT_SSH_COMMAND", "PERL5OPT", "RUBYOPT"),
        *("JAVA_TOOL_OPTIONS", "https_proxy", "SSL_CERT_FILE", "PIP_INDEX_URL", "GOFLAGS"),
        *("BASH_FUNC_x", "npm_config_registry", "MAKEFLAGS", "HOME", "TAR_OPTIONS", "RSYNC_RSH"),
        *("AWS_ENDPOINT_URL_S3", "TF_CLI_ARGS_apply", "ANSIBLE_CONFIG", "CC", "XDG_CONFIG_HOME"),
    ],
)
def test_a_variable_that_changes_other_programs_is_refused(name):
    with pytest.raises(Rejected, match=name):
        refuse_reserved({"RELEASE": "1", name: "x"})


@pytest.mark.parametrize(
    "name", ["", "1A", "A-B", "A B", "A=B", "A\n", "Ä", "A" * 201, "A.B", "\u0430"]
)
def test_what_is_no_name_of_a_variable_is_refused(name):
    with pytest.raises(Rejected):
        refuse_reserved({name: "x"})


@pytest.mark.parametrize(
    "name", ["RELEASE", "_x", "ENVIRONMENT", "PATHS", "lower", "A1", "DEPLOY", "AWS_REGION"]
)
def test_an_ordinary_name_passes(name):
    refuse_reserved({name: "PATH"})


def test_a_name_that_the_pipeline_declares_is_its_own_affair():
    refuse_reserved({"ENV": "staging", "with space": "1"}, declared={"ENV", "with space"})
    with pytest.raises(Rejected):
        refuse_reserved({"PATH": "x"}, declared={"ENV"})


@pytest.mark.parametrize("name", ["STAGEDOOR_PERSON", "stagedoor_x"])
def test_the_portals_own_names_are_refused_even_where_they_are_declared(name):
    with pytest.raises(Rejected, match="set by Stagedoor"):
        refuse_reserved({name: "x"}, declared={name})


def test_names_that_the_ci_itself_sets_are_refused():
    with pytest.raises(Rejected, match="set by the CI itself"):
        refuse_reserved({"drone_Branch": "x"}, vendors=("CI_", "DRONE_"))
    refuse_reserved({"DRONES": "x"}, vendors=("CI_", "DRONE_"))


def test_labels_become_variables_and_empty_ones_are_left_out():
    request = StartRequest("a/b", "id-1", labels={"person": "Ana", "team": "", "other": "x"})
    assert variables(request) == {"STAGEDOOR_REQUEST_ID": "id-1", "STAGEDOOR_PERSON": "Ana"}
