"""Stand-ins for identifiers: readable, the same for the same value of a patient, and drawn by a key.

`Surrogates` holds those of one patient. No table of pairs is kept: everything is drawn by HMAC-SHA-256 over patient,
kind and normalised value, and dates move by one offset a patient.
"""

from preceptor.deid.surrogates.ages import age_of as age_of
from preceptor.deid.surrogates.dates import shift_date as shift_date
from preceptor.deid.surrogates.patient import RESTRICTED_ZIP3 as RESTRICTED_ZIP3
from preceptor.deid.surrogates.patient import Surrogates as Surrogates
from preceptor.deid.surrogates.patient import anchor as anchor
