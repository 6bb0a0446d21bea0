"""The 72 subcategories of the NIST AI RMF 1.0, and what in Preceptor serves each.

Source: NIST AI 100-1, Artificial Intelligence Risk Management Framework (AI RMF 1.0), January 2023, part 2 (numbers read 29
November 2026); the subjects are our own short words for them. A subcategory is an outcome of an organisation, so that most are
served in part at best: `needs` says what people must add (a statement under `papers.governance`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`facts` are names in `risk_framework.EVIDENCE`, `statements` settings under `papers`, `commands` of `preceptor`, `docs`
    pages in docs/. Without `needs` what is named serves it by itself."""

    code: str
    subject: str
    needs: str = ""
    facts: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    docs: tuple[str, ...] = ()


_RISK_POLICY = "The organisation's policy for risks of AI."

ROWS = (
    Row("GOVERN 1.1", "Legal and regulatory requirements", "Which laws and rules apply, and who answers for them.",
        ("basis",), ("regulatory",), (), ("papers",)),
    Row("GOVERN 1.2", "Trustworthiness in policies and practices", _RISK_POLICY, ("policy",), (), (), ("evaluation-gates",)),
    Row("GOVERN 1.3", "Level of risk management by risk tolerance", "How much risk the organisation bears, and for what.",
        (), ("clinical_risk_level",)),
    Row("GOVERN 1.4", "Transparent controls by risk priorities", "How the limits of the gates follow from priorities.",
        ("policy", "gate"), (), (), ("evaluation-gates",)),
    Row("GOVERN 1.5", "Monitoring and periodic review of risk management", "Who reviews the process, and how often.", ("watch",)),
    Row("GOVERN 1.6", "Inventory of AI systems", "", ("registered",), (), ("release list",)),
    Row("GOVERN 1.7", "Decommissioning", "When and by whom a model is taken out of use.", (), (), ("release reject", "release rollback")),
    Row("GOVERN 2.1", "Roles and lines of communication", "The people behind the roles, and whom they report to.",
        ("policy",), ("contact",), ("users list",), ("review", "release")),
    Row("GOVERN 2.2", "Training of personnel", "Who was trained in what, and when."),
    Row("GOVERN 2.3", "Responsibility of executive leadership", "Who in the leadership answers for it."),
    Row("GOVERN 3.1", "Diverse teams in decisions", "Who took part in decisions.", ("approvals",), ("stakeholders",)),
    Row("GOVERN 3.2", "Human oversight and its roles", "Who oversees its use.", ("approvals",), ("decision_role",), ("users list",), ("review",)),
    Row("GOVERN 4.1", "Safety-first practices", _RISK_POLICY, ("gate",), (), (), ("evaluation-gates",)),
    Row("GOVERN 4.2", "Risks and impacts documented and communicated", "To whom these papers were given.", ("risks",), ("known_risks",),
        ("release papers",)),
    Row("GOVERN 4.3", "Testing, incidents, sharing of information", "How incidents are reported and shared.", ("tests",), (), ("evaluate",)),
    Row("GOVERN 5.1", "Feedback from outside the team", "Whose feedback is asked for.", ("feedback",), ("stakeholders",), (), ("serving",)),
    Row("GOVERN 5.2", "Adjudicated feedback comes into the system", "How often, and by whom it is judged.", ("corrected",), (), (), ("review",)),
    Row("GOVERN 6.1", "Third-party risks and rights", "Contracts and rights of third parties.", ("base",), ("third_parties",),
        ("models show",), ("providers",)),
    Row("GOVERN 6.2", "Contingency for failures of third parties", "What is done when a supplier fails.", (), (), (), ("providers",)),
    Row("MAP 1.1", "Purposes, settings, users, assumptions", "Purpose, setting and users.", ("cases",),
        ("intended_use", "intended_users", "patient_population")),
    Row("MAP 1.2", "Interdisciplinary actors and their competence", "Who took part, with which competence.", (), ("stakeholders",)),
    Row("MAP 1.3", "Mission and goals for AI", "The organisation's goals."),
    Row("MAP 1.4", "Business value or context", "What it is worth, and to whom.", (), ("output_value",)),
    Row("MAP 1.5", "Risk tolerances", "How much risk the organisation bears, and for what.", ("policy",)),
    Row("MAP 1.6", "Requirements of the system", "What was required of it, by whom.", ("deid",), (), (), ("deidentification",)),
    Row("MAP 2.1", "Tasks and methods", "", ("cases", "method")),
    Row("MAP 2.2", "Knowledge limits and oversight of output", "How output is checked before it is used.", ("scope",),
        ("how_to_use", "out_of_scope")),
    Row("MAP 2.3", "Scientific integrity of tests and data", "Why the measures stand for what matters.", ("tests", "data"), (),
        ("data card", "data sufficiency"), ("evaluation-statistics", "curation")),
    Row("MAP 3.1", "Potential benefits", "Benefits beside scores.", ("scores",), ("output_value",)),
    Row("MAP 3.2", "Potential costs of errors", "What an error costs, and whom.", ("safety",), ("known_risks",)),
    Row("MAP 3.3", "Targeted scope", "The scope, in words.", ("scope",), ("intended_use", "out_of_scope")),
    Row("MAP 3.4", "Proficiency of operators", "How users are taught, and their skill assessed.", (), ("how_to_use",)),
    Row("MAP 3.5", "Processes of human oversight", "Who oversees its use.", ("approvals",), ("decision_role",), (), ("review", "release")),
    Row("MAP 4.1", "Legal risks of components", "Rights of third parties, as judged by a lawyer.", ("base", "basis"), ("third_parties",)),
    Row("MAP 4.2", "Controls of components", "", ("base", "lock"), (), ("release verify", "doctor")),
    Row("MAP 5.1", "Likelihood and magnitude of impacts", "Impacts, how likely and how large.", ("safety", "memory"), ("known_risks",)),
    Row("MAP 5.2", "Engagement and feedback on impacts", "Who is asked, and how often.", ("feedback",), ("stakeholders",), (), ("serving",)),
    Row("MEASURE 1.1", "Choice of approaches and metrics", "Risks that are not measured, and why.", ("measures",), (), (),
        ("evaluation-facts", "evaluation-statistics")),
    Row("MEASURE 1.2", "Fitness of metrics and controls", "When metrics were last questioned, by whom."),
    Row("MEASURE 1.3", "Independent assessors and experts", "Who outside the team assessed it.", ("reviewers",), ("stakeholders",), (), ("review",)),
    Row("MEASURE 2.1", "Test sets, metrics and tools documented", "", ("tests", "measures", "lock"), (), ("evaluate",)),
    Row("MEASURE 2.2", "Evaluations with human subjects", "Approval of studies with people, or that there were none.", (), ("clinical_trials",)),
    Row("MEASURE 2.3", "Performance in conditions like deployment", "Why the test cases are like those it is used on.", ("scores",),
        ("relevance", "local_validity")),
    Row("MEASURE 2.4", "Monitoring in production", "Who looks at it.", ("traffic", "drift"), (), ("monitor",), ("serving",)),
    Row("MEASURE 2.5", "Validity, reliability, limits of generalisation", "Validation on other data.", ("scores", "risks"),
        ("external_validation",)),
    Row("MEASURE 2.6", "Safety", "What harm is feared, and how it fails safely.", ("safety", "gate"), ("known_risks",), (), ("evaluation-facts",)),
    Row("MEASURE 2.7", "Security and resilience", "Tests of security.", ("memory",), ("security",), ("doctor",), ("vault",)),
    Row("MEASURE 2.8", "Transparency and accountability", "", ("approvals", "record"), (), ("release history", "lineage")),
    Row("MEASURE 2.9", "Explanation of the model and its output", "How a single answer is explained to its user.", ("method",), ("how_to_use",),
        ("lineage",), ("evaluation-arms",)),
    Row("MEASURE 2.10", "Privacy", "The privacy officer's judgement.", ("deid", "memory"), (), ("deid report", "forget"),
        ("deidentification", "evaluation-memorisation")),
    Row("MEASURE 2.11", "Fairness and bias", "Groups beside specialty and language.", ("groups",), ("fairness_approach", "known_biases"), (),
        ("evaluation-fairness",)),
    Row("MEASURE 2.12", "Environmental impact", "Energy and emissions.", ("effort",), (), ("size",), ("sizing",)),
    Row("MEASURE 2.13", "Effectiveness of the measuring itself", "Whether measures agree with clinicians.", (), (), (), ("evaluation-statistics",)),
    Row("MEASURE 3.1", "Tracking of known and new risks", "Who tracks them.", ("drift", "watch"), (), ("monitor",)),
    Row("MEASURE 3.2", "Risks that are hard to measure", "Such risks, and how they are followed.", (), ("known_risks",)),
    Row("MEASURE 3.3", "Feedback and appeal of those affected", "How patients and users can object.", ("feedback",), ("contact",), (), ("serving",)),
    Row("MEASURE 4.1", "Measures fit the place of use", "Which experts of the place were asked.", (), ("relevance", "stakeholders")),
    Row("MEASURE 4.2", "Results judged by domain experts", "Which experts judged them.", ("reviewers",), ("stakeholders",), (), ("review",)),
    Row("MEASURE 4.3", "Improvements and declines in the field", "What the field says.", ("feedback", "drift"), ("local_validity",), ("monitor",)),
    Row("MANAGE 1.1", "Whether to proceed", "", ("gate", "decision"), (), ("release approve", "release reject")),
    Row("MANAGE 1.2", "Priorities of treatment", "Which risks are treated first.", ("risks",)),
    Row("MANAGE 1.3", "Responses to high risks", "Responses, planned and documented.", ("gate",), ("known_risks",)),
    Row("MANAGE 1.4", "Residual risks", "That they are accepted, and by whom.", ("risks",), ("known_risks",)),
    Row("MANAGE 2.1", "Alternatives without AI, and resources", "Alternatives without AI.", ("alternatives",), (), ("advise",), ("choosing",)),
    Row("MANAGE 2.2", "Value sustained in use", "Who keeps it up.", ("watch",), ("update_schedule",), ("run",)),
    Row("MANAGE 2.3", "Response to unknown risks", "The procedure, and who starts it.", (), ("correction_schedule",), ("release rollback",)),
    Row("MANAGE 2.4", "Superseding and switching off", "Who may switch it off.", ("before",), (), ("release rollback", "release reject"), ("release",)),
    Row("MANAGE 3.1", "Third-party resources watched", "Who watches them.", ("base", "lock"), ("third_parties",), ("doctor",)),
    Row("MANAGE 3.2", "Pre-trained models watched", "Who follows what is published of it.", ("base",), (), ("models show",)),
    Row("MANAGE 4.1", "Monitoring after deployment", "Incident response, appeal and override.", ("watch", "traffic", "drift"),
        ("validity_monitoring",), ("monitor", "release rollback"), ("serving",)),
    Row("MANAGE 4.2", "Continual improvement", "Who takes part.", ("corrected", "watch"), ("update_schedule",), ("run",), ("review",)),
    Row("MANAGE 4.3", "Incidents communicated and tracked", "How incidents are tracked.", (), ("correction_schedule",), ("release notify",), ("release",)),
)  # fmt: skip
