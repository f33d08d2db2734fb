"""One contract in all its forms: canonical document, message and YAML mean the same."""

from __future__ import annotations

import dataclasses

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_contracts import contracts
from router_fakes import contract_of as a_contract

from protos.gen.nexus.router.v1 import contract_pb2 as pb
from provider_router.adapters.yaml_file.contract_reader import read_contract
from provider_router.adapters.yaml_file.contract_writer import contract_yaml
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.contract_checks import violations_of
from provider_router.domain.contracts.contract_document import (
    decode_contract,
    decode_registry,
    encode_contract,
    encode_registry,
    registry_digest,
)
from provider_router.domain.decisions.canonical_json import NotCanonical
from provider_router.servicer.convert_contract import contract_message, contract_of


def from_yaml(text: str) -> Contract:
    return read_contract(SourceFile("contract.yaml", text.encode()))


@given(contracts())
def test_generated_contracts_are_good(contract: Contract) -> None:
    assert violations_of(contract) == ()


@given(contracts())
def test_the_canonical_form_is_read_back(contract: Contract) -> None:
    document = encode_contract(contract)
    assert decode_contract(document) == contract
    assert encode_contract(decode_contract(document)) == document


@given(contracts())
def test_a_message_is_read_back(contract: Contract) -> None:
    message = contract_message(contract)
    assert contract_of(pb.Contract.FromString(message.SerializeToString())) == contract
    assert contract_message(contract_of(message)) == message


@given(contracts())
def test_yaml_means_what_the_message_means(contract: Contract) -> None:
    assert from_yaml(contract_yaml(contract)) == contract_of(contract_message(contract))


@given(st.lists(contracts(), max_size=4, unique_by=lambda contract: contract.name), st.randoms())
def test_a_registry_is_read_back_whatever_its_order(some: list[Contract], random) -> None:
    document = encode_registry(some)
    shuffled = list(some)
    random.shuffle(shuffled)
    assert encode_registry(shuffled) == document
    snapshot = decode_registry(document)
    assert [service.contract for service in snapshot.services.values()] == sorted(some, key=lambda each: each.name)
    assert snapshot.digest == registry_digest(some)


@given(contracts(), contracts())
def test_contracts_that_differ_have_other_documents(one: Contract, other: Contract) -> None:
    assert (encode_contract(one) == encode_contract(other)) == (one == other)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.replace(b'"chat"', b'"dance"'),
        lambda document: document.replace(b'"json_schema":true', b'"json_schema":1'),
        lambda document: document.replace(b'"version":1', b'"version": 1'),
        lambda document: document.replace(b'"clearance":0', b'"clearance":9'),
        lambda document: document.replace(b'"owner":""', b'"owner":"","more":1'),
        lambda document: document.replace(b'"owner":"",', b""),
        lambda document: document.replace(b'"retention_days":null', b'"retention_days":"x"'),
        lambda document: document[:-1],
        lambda _: b"[]",
    ],
)
def test_a_changed_document_is_no_document(change) -> None:
    document = encode_contract(a_contract())
    changed = change(document)
    assert changed != document
    with pytest.raises(NotCanonical):
        decode_contract(changed)


def test_no_address_and_no_key_name_stands_in_a_registry() -> None:
    keys = set(orjson.loads(encode_registry([a_contract()])))
    assert keys == {"contracts", "version"}
    text = encode_registry([a_contract()])
    assert b"http" not in text
    assert b"key_env" not in text


def test_a_registry_with_a_name_twice_is_none() -> None:
    contract = encode_contract(a_contract()).decode()
    with pytest.raises(NotCanonical):
        decode_registry(f'{{"contracts":[{contract},{contract}],"version":1}}'.encode())


@pytest.mark.parametrize(
    ("said", "privacy", "may_train", "training"),
    [
        ("", pb.Privacy(), True, pb.TRAINING_NOT_STATED),
        ("trains_on_data: null", pb.Privacy(training=pb.TRAINING_NOT_STATED), True, pb.TRAINING_NOT_STATED),
        ("trains_on_data: false", pb.Privacy(training=pb.TRAINING_NO), False, pb.TRAINING_NO),
        ("trains_on_data: true", pb.Privacy(training=pb.TRAINING_YES), True, pb.TRAINING_YES),
        # Who knows the older field alone.
        ("trains_on_data: true", pb.Privacy(trains_on_data=True), True, pb.TRAINING_YES),
    ],
)
def test_whether_data_is_trained_on_has_three_answers(
    said: str, privacy: pb.Privacy, may_train: bool, training
) -> None:
    contract = from_yaml(f"{{name: a/b, capabilities: {{operations: [chat], streaming: false}}, privacy: {{{said}}}}}")
    message = pb.Contract(name="a/b", capabilities=pb.Capabilities(operations=[pb.OPERATION_CHAT]), privacy=privacy)
    assert contract_of(message) == contract
    assert contract.privacy.may_train is may_train
    shown = contract_message(contract).privacy
    assert (shown.training, shown.trains_on_data) == (training, may_train)
    assert decode_contract(encode_contract(contract)) == contract


def test_what_the_registry_sets_is_not_read_from_a_message() -> None:
    message = contract_message(dataclasses.replace(a_contract(), needs_auth=True, demonstration=True, org_id="org-b"))
    contract = contract_of(message, "org-a")
    assert (contract.org_id, contract.needs_auth, contract.demonstration) == ("org-a", False, False)


def test_what_a_message_leaves_out_has_its_documented_default() -> None:
    message = pb.Contract(name="a/b", capabilities=pb.Capabilities(operations=[pb.OPERATION_CHAT]))
    message.constraints.windows.add()
    contract = contract_of(message)
    plain = from_yaml("{name: a/b, capabilities: {operations: [chat], streaming: false}, constraints: {windows: [{}]}}")
    assert contract == plain
    assert contract.version == 1
    assert contract.quality.default == 500_000
    assert contract.privacy.retention_days is None
    assert contract.privacy.trains_on_data is None
    assert not contract.privacy.encrypted
