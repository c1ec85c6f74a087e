"""Proofs by computer that the lemma fails for a given neuron and learning set."""

from bn_experiments.certify.certificate import Certificate, TrainedCertificate
from bn_experiments.certify.certifier import NotCertified, certify, certify_trained
from bn_experiments.certify.trained_verifier import verify_trained
from bn_experiments.certify.verifier import Verification, verify

__all__ = [
    "Certificate",
    "NotCertified",
    "TrainedCertificate",
    "Verification",
    "certify",
    "certify_trained",
    "verify",
    "verify_trained",
]
