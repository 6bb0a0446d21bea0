"""The list of recognisers."""

from __future__ import annotations

from typing import Any


def recognizers() -> list[Any]:
    """One of each recogniser of ours, for a Presidio RecognizerRegistry."""
    from preceptor.deid.recognizers.ages import AgeRecognizer
    from preceptor.deid.recognizers.dates import DateRecognizer, HolidayRecognizer, YearRecognizer
    from preceptor.deid.recognizers.electronic import EmailRecognizer, UsernameRecognizer, WebRecognizer
    from preceptor.deid.recognizers.names_by_cue import CuedNameRecognizer
    from preceptor.deid.recognizers.names_by_lexicon import LexiconNameRecognizer
    from preceptor.deid.recognizers.names_by_model import ModelNameRecognizer
    from preceptor.deid.recognizers.numbers import (
        BiometricRecognizer,
        DeviceRecognizer,
        LicenseRecognizer,
        OtherNumberRecognizer,
        RecordNumberRecognizer,
        SsnRecognizer,
        VehicleRecognizer,
    )
    from preceptor.deid.recognizers.organisations import OrganisationRecognizer
    from preceptor.deid.recognizers.phones import PhoneRecognizer
    from preceptor.deid.recognizers.places import (
        CityRecognizer,
        LocationRecognizer,
        StreetRecognizer,
        ZipRecognizer,
    )
    from preceptor.deid.recognizers.professions import ProfessionRecognizer

    return [
        AgeRecognizer(),
        BiometricRecognizer(),
        CityRecognizer(),
        CuedNameRecognizer(),
        DateRecognizer(),
        DeviceRecognizer(),
        EmailRecognizer(),
        HolidayRecognizer(),
        LexiconNameRecognizer(),
        LicenseRecognizer(),
        LocationRecognizer(),
        ModelNameRecognizer(),
        OrganisationRecognizer(),
        OtherNumberRecognizer(),
        PhoneRecognizer(),
        ProfessionRecognizer(),
        RecordNumberRecognizer(),
        SsnRecognizer(),
        StreetRecognizer(),
        UsernameRecognizer(),
        VehicleRecognizer(),
        WebRecognizer(),
        YearRecognizer(),
        ZipRecognizer(),
    ]
