"""Enumerations and small values that several services of the router share on the wire."""

from __future__ import annotations

from collections.abc import Mapping

from protos.gen.nexus.router.v1 import contract_pb2 as pb
from provider_router.domain.contracts.contract import DataClass, Modality, Operation, TraitValue
from provider_router.domain.decisions.route_request import Comparison, TraitConstraint

DATA_CLASSES: Mapping[DataClass, pb.DataClass.ValueType] = {
    DataClass.PUBLIC: pb.DATA_CLASS_PUBLIC,
    DataClass.INTERNAL: pb.DATA_CLASS_INTERNAL,
    DataClass.CONFIDENTIAL: pb.DATA_CLASS_CONFIDENTIAL,
    DataClass.RESTRICTED: pb.DATA_CLASS_RESTRICTED,
}
OPERATIONS: Mapping[Operation, pb.Operation.ValueType] = {
    Operation.CHAT: pb.OPERATION_CHAT,
    Operation.EMBED: pb.OPERATION_EMBED,
    Operation.TRANSCRIBE: pb.OPERATION_TRANSCRIBE,
    Operation.RERANK: pb.OPERATION_RERANK,
    Operation.IMAGE: pb.OPERATION_IMAGE,
}
MODALITIES: Mapping[Modality, pb.Modality.ValueType] = {
    Modality.TEXT: pb.MODALITY_TEXT,
    Modality.IMAGE: pb.MODALITY_IMAGE,
    Modality.AUDIO: pb.MODALITY_AUDIO,
    Modality.VIDEO: pb.MODALITY_VIDEO,
    Modality.FILE: pb.MODALITY_FILE,
}
COMPARISONS: Mapping[Comparison, pb.Comparison.ValueType] = {
    Comparison.EQUAL: pb.COMPARISON_EQUAL,
    Comparison.NOT_EQUAL: pb.COMPARISON_NOT_EQUAL,
    Comparison.LESS: pb.COMPARISON_LESS,
    Comparison.AT_MOST: pb.COMPARISON_AT_MOST,
    Comparison.GREATER: pb.COMPARISON_GREATER,
    Comparison.AT_LEAST: pb.COMPARISON_AT_LEAST,
    Comparison.IN: pb.COMPARISON_IN,
}
_OPERATIONS = {wire: domain for domain, wire in OPERATIONS.items()}
_DATA_CLASSES = {wire: domain for domain, wire in DATA_CLASSES.items()}
_COMPARISONS = {wire: domain for domain, wire in COMPARISONS.items()}


def data_class_of(value: pb.DataClass.ValueType) -> DataClass | None:
    """The data class on the wire; None where it is not set."""
    return _DATA_CLASSES.get(value)


def operation_of(value: pb.Operation.ValueType) -> Operation | None:
    """The operation on the wire; None where it is not set."""
    return _OPERATIONS.get(value)


def trait_value(value: TraitValue) -> pb.TraitValue:
    """A trait's value as a message."""
    if isinstance(value, bool):
        return pb.TraitValue(bool_value=value)
    return pb.TraitValue(int_value=value) if isinstance(value, int) else pb.TraitValue(string_value=value)


def trait_value_of(message: pb.TraitValue) -> TraitValue:
    """A trait's value from its message, one of whose fields is set."""
    match message.WhichOneof("value"):
        case "bool_value":
            return message.bool_value
        case "int_value":
            return message.int_value
        case _:
            return message.string_value


def trait_constraint(constraint: TraitConstraint) -> pb.TraitConstraint:
    """A constraint as a message."""
    return pb.TraitConstraint(
        trait=constraint.trait,
        comparison=COMPARISONS[constraint.comparison],
        values=[trait_value(each) for each in constraint.values],
    )


def trait_constraint_of(message: pb.TraitConstraint) -> TraitConstraint:
    """A constraint from its message."""
    values = tuple(trait_value_of(each) for each in message.values)
    return TraitConstraint(message.trait, _COMPARISONS[message.comparison], values)
