"""What is kept of a sign-in's claims: all that can be looked at, nothing that opens anything."""

import json

import pytest

from portal.kept_claims import MAX_SIZE, MORE, NOT_KEPT, kept_claims

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtYXJhIn0.c2lnbmF0dXJl"


def test_claims_are_kept_as_they_arrived():
    claims = {
        "sub": "1",
        "groups": ["a", 7, None],
        "address": {"city": "X"},
        "email_verified": True,
    }
    assert kept_claims(claims) == claims


@pytest.mark.parametrize(
    "name", ["nonce", "sid", "at_hash", "access_token", "client_secret", "Password", "jwt"]
)
def test_what_could_be_used_is_not_kept(name):
    assert kept_claims({name: "x"}) == {name: NOT_KEPT}


def test_nothing_secret_is_kept_further_inside():
    sources = {"src1": {"endpoint": "https://x.example", "access_token": "t"}, "src2": {"JWT": "j"}}
    kept = kept_claims({"_claim_sources": sources, "notes": [TOKEN, "a.b.c"]})
    assert kept["_claim_sources"]["src1"] == {
        "endpoint": "https://x.example",
        "access_token": NOT_KEPT,
    }
    assert kept["_claim_sources"]["src2"] == {"JWT": NOT_KEPT}
    assert kept["notes"] == [NOT_KEPT, "a.b.c"]


def test_a_text_is_cut_and_made_storable():
    kept = kept_claims({"long": "x" * 9000, "nul": "a\0b", "half": "\ud800"})
    assert len(kept["long"]) == 5000
    assert (kept["nul"], kept["half"]) == ("ab", "?")


def test_the_largest_goes_when_it_is_too_much():
    kept = kept_claims({"sub": "1", "huge": ["x" * 4000] * 500, "groups": ["g"] * 5000})
    assert kept["huge"].startswith("(too long to keep: ")
    assert (kept["sub"], len(kept["groups"])) == ("1", 5000)
    assert len(json.dumps(kept)) < MAX_SIZE


def test_many_small_claims_and_long_names_are_bounded_and_their_number_is_said():
    many = {f"claim-{number:06}": "0123456789abcd" for number in range(30_000)}
    names = {"n" * 150 + f"{number:06}": "" for number in range(5_000)}
    for claims in (many, many | names, many | {"groups": ["g" * 4000] * 500}):
        kept = kept_claims({"sub": "1", **claims})
        assert len(json.dumps(kept)) < MAX_SIZE + 20_000
        assert kept["sub"] == "1"
        assert kept[MORE] == f"{len(claims) + 2 - len(kept):,} more claims, which are not kept"
    assert kept["groups"].startswith("(too long to keep: ")
