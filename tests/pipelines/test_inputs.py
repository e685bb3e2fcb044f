"""What may be typed: variables, commits, gates, targets, each with a sentence when it is wrong."""

import pytest

from pipelines.inputs import check_gate, check_inputs, read_variables
from pipelines.providers.base import Gate, RemoteParameter
from tests.pipelines.world import make_pipeline, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def drone():
    """Takes variables and a commit."""
    return make_pipeline(make_server("drone", "drone"), "acme/shop")


@pytest.fixture
def jenkins():
    """Takes what is declared and nothing else."""
    return make_pipeline(make_server("jenkins", "jenkins"), "shop")


# --- Variables --------------------------------------------------------------------------------
def test_variables_are_lines_of_name_and_value():
    written = "A=1\r\n\n B = two = 2 \nC=\n"
    assert read_variables(written) == ({"A": "1", "B": "two = 2", "C": ""}, [])


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("A=1\nnonsense", "Line 2 is not of the form NAME=value."),
        ("=1", "Line 1 is not of the form NAME=value."),
        ("A=1\nA=2", "Line 2 names A again."),
    ],
)
def test_a_line_that_is_no_variable_is_named(written, sentence):
    assert read_variables(written)[1] == [sentence]


def test_variables_become_parameters_where_the_provider_takes_them(drone, jenkins):
    assert check_inputs(drone, "", {"TARGET": " eu "}).parameters == {"TARGET": "eu"}
    refused = check_inputs(jenkins, "", {"TARGET": "eu"})
    assert refused.errors == {"parameter:TARGET": "The pipeline has no such parameter."}
    assert refused.parameters == {}


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "ld_preload", "BASH_ENV", "GIT_SSH_COMMAND", "STAGEDOOR_PERSON"),
        *("promote_to", "UNBLOCK", "a b", "a-b", "1A", "", "Ä", "x" * 201, "A\n"),
    ],
)
def test_a_name_that_is_unsafe_or_taken_is_refused(drone, name):
    assert list(check_inputs(drone, "", {name: "x"}).errors) == [f"parameter:{name}"]


@pytest.mark.parametrize("value", ["x" * 4001, "a\nb", "a\x00b"])
def test_a_value_that_cannot_be_sent_is_refused(drone, value):
    assert list(check_inputs(drone, "", {"A": value}).errors) == ["parameter:A"]


def test_a_variable_is_no_second_way_to_a_declared_parameter(drone):
    drone.parameters = [{"name": "TARGET", "type": "choice", "choices": ["a"], "default": "a"}]
    assert list(check_inputs(drone, "", {"target": "b"}).errors) == ["parameter:target"]


def test_too_many_are_not_even_looked_at(drone):
    """Comparing each with each of a megabyte's would keep a processor busy."""
    inputs = check_inputs(drone, "", {f"V{n}": "" for n in range(101)})
    assert (list(inputs.errors), inputs.parameters) == ([""], {})


# --- Commit -----------------------------------------------------------------------------------
@pytest.mark.parametrize("commit", ["A" * 40, f" {'b' * 64}\n", ""])
def test_a_whole_commit_is_taken(drone, commit):
    inputs = check_inputs(drone, "", {}, commit)
    assert (inputs.commit, inputs.errors) == (commit.strip().lower(), {})


@pytest.mark.parametrize("commit", ["abc1234", "HEAD", "g" * 40, "a" * 41, "main"])
def test_a_commit_that_is_not_whole_is_refused(drone, commit):
    assert list(check_inputs(drone, "", {}, commit).errors) == ["commit"]


def test_a_provider_that_takes_no_commit_is_not_asked_for_one(jenkins):
    jenkins.server.provider = "nobody"
    assert "can't be asked" in check_inputs(jenkins, "", {}, "a" * 40).errors["commit"]


# --- Gates ------------------------------------------------------------------------------------
GATE = Gate(
    "g",
    "Deploy",
    parameters=(
        RemoteParameter("TARGET", "choice", "blue", ("blue", "green")),
        RemoteParameter("STAGEDOOR_PERSON"),
    ),
)


def test_a_gate_gets_its_defaults_and_what_was_chosen():
    assert check_gate(GATE, {}) == ({"TARGET": "blue"}, {})
    assert check_gate(GATE, {"TARGET": "green"}) == ({"TARGET": "green"}, {})


@pytest.mark.parametrize("given", [{"TARGET": "red"}, {"STAGEDOOR_PERSON": "x"}, {"OTHER": "x"}])
def test_a_gate_takes_nothing_else(given):
    values, errors = check_gate(GATE, given)
    assert list(errors) == [f"parameter:{name}" for name in given]
    assert values == {"TARGET": "blue"}


def test_a_gate_that_asks_for_a_secret_is_not_opened_from_here():
    gate = Gate("g", "Deploy", parameters=(RemoteParameter("KEY", "password"),))
    values, errors = check_gate(gate, {"KEY": "s3cret"})
    assert values == {}
    assert "(KEY), and Stagedoor takes none" in errors[""]
    assert "s3cret" not in str(errors)
