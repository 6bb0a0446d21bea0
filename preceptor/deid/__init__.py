"""De-identification: finding what identifies a person in clinical text, and replacing it.

`engine.Deidentifier` is the way in; the recognisers (Presidio `EntityRecognizer`s) and the operators (Presidio
`Operator`s) can be used by themselves.
"""

# Part of the name of every data set version made here: raise it when spans or surrogates change.
VERSION = "deid-7"
