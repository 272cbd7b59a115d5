"""A command and the answers so far -> ask, point at one candidate, or give up with a reason.

The whole course of a dialogue, recomputed from its words each time: nothing is remembered between calls. Knows
candidates and words; knows no frame and no detector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from icseg.dialogue.actions import Ask, Choice, GiveUp
from icseg.dialogue.candidates.belief import Belief, BeliefConfig, Evidence, appearance_fit, fit
from icseg.dialogue.candidates.questions import Question, QuestionConfig, Situation, best_question, noun_phrase
from icseg.dialogue.candidates.reply_fit import Context, reply_likelihood
from icseg.dialogue.candidates.things import Candidate, label_of
from icseg.dialogue.dialogue import MAX_QUESTIONS
from icseg.dialogue.english.answer import Reply, parse_answer
from icseg.dialogue.english.command import parse_command
from icseg.dialogue.english.words import NOTHING_SAID, Description, Vocabulary, join_words

MAX_QUOTED_CHARS = 60
"""The person's words are said back up to this length."""
MIN_NAME_PROBABILITY = 0.8
"""A question calls the things by a kind or colour that the person did not say only if each has it so surely."""


@dataclass(frozen=True, slots=True)
class Point:
    """One candidate is meant: its index."""

    index: int
    thinking: str


Decision = Ask | Point | GiveUp


@dataclass(slots=True)
class _Course:
    """Where a dialogue stands while its words are gone through."""

    candidates: Sequence[Candidate]
    vocabulary: Vocabulary
    questions: QuestionConfig
    belief: Belief
    scope: Description = NOTHING_SAID
    closed: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    misheard: str = ""
    misheard_count: int = 0


def decide(
    command: str,
    answers: Sequence[str],
    candidates: Sequence[Candidate],
    vocabulary: Vocabulary,
    belief: BeliefConfig,
    questions: QuestionConfig,
) -> Decision:
    """Go through everything that was said and decide what is next.

    Args:
        command: the person's words.
        answers: to the questions that this function chose, in order.
        candidates: the things in view.
        vocabulary: of the detector that found them.
        belief, questions: settings.
    """
    course = _Course(candidates, vocabulary, questions, Belief(len(candidates), belief))
    if (reason := _hear_command(course, command)) is not None:
        return GiveUp(reason, _thinking(course))
    for answer in answers:
        question = _next_question(course)
        # Words after the last question are heard too: a person may change their mind.
        outcome = _hear_answer(course, question, answer)
        if outcome is not None:
            return outcome
    live = course.belief.live()
    if len(live) == 1 and not course.misheard:
        return Point(live[0], _thinking(course))
    if len(answers) >= MAX_QUESTIONS:
        return GiveUp(f"After {len(answers)} questions {_named(course, live)} still fit.", _thinking(course))
    question = _next_question(course)
    if question is None:
        return GiveUp(f"I cannot tell {_named(course, live)} apart.", _thinking(course))
    return Ask(
        _preface(course) + question.text, question.options, _thinking(course), choices=_choices(course, live, question)
    )


def _choices(course: _Course, live: Sequence[int], question: Question) -> tuple[Choice, ...]:
    posterior = course.belief.posterior()
    choices = []
    for index in live:
        detection = course.candidates[index].detection
        leaves = question.likelihood[:, index]
        options = tuple(i for i in range(len(question.options)) if leaves[i] >= 0.5 * leaves.max())
        attributes = (("kind", detection.kind), ("colour", detection.colour))
        choices.append(
            Choice(detection.box_image_px, label_of(detection), float(posterior[index]), attributes, options)
        )
    return tuple(choices)


def _hear_command(course: _Course, command: str) -> str | None:
    """Take the command in; returns why it leads nowhere, or None."""
    if parse_answer(command, course.vocabulary).kind == "cancelled":
        return "cancelled by the person"
    said = parse_command(command, course.vocabulary)
    if (reason := _unknown_reason(said.wanted, course.vocabulary)) is not None:
        return reason
    wanted = said.wanted
    if not (wanted.says_something or wanted.is_generic or said.unwanted):
        return f"I heard no thing named in {_quoted(command)}. I know: {', '.join(course.vocabulary.kinds)}."
    _note_unknown(course, wanted)
    likelihood = fit(wanted, course.candidates)
    for refused in said.unwanted:
        likelihood = likelihood * (1 - fit(refused, course.candidates))
    piece = Evidence(command, likelihood)
    if not course.belief.supports(piece):
        missing = _missing_anchor(wanted, course) or wanted
        return f"I see no {_described(missing, wanted is missing)}. {_in_view(course)}"
    course.belief = course.belief.with_evidence(piece)
    course.scope = Description(kinds=wanted.kinds, colours=wanted.colours)
    return None


def _hear_answer(course: _Course, question: Question | None, answer: str) -> Decision | None:
    """Take an answer in; returns the end of the dialogue, or None to go on."""
    reply = parse_answer(answer, course.vocabulary)
    course.misheard = ""
    match reply.kind:
        case "cancelled":
            return GiveUp("cancelled by the person", _thinking(course))
        case "delegated":
            course.notes.append(f"The person left the choice to me ({_quoted(answer)}).")
            return Point(int(course.belief.posterior().argmax()), _thinking(course))
        case "cannot_tell":
            course.closed.add(question.attribute if question else "")
            return None
    context = Context(course.candidates, course.belief.live(), course.scope, question)
    likelihood = None if reply.kind == "unclear" else reply_likelihood(reply, context)
    if likelihood is None:
        return _mishear(course, answer)
    if question is not None:
        course.closed.add(question.text)
    piece = Evidence(answer, likelihood)
    if not course.belief.supports(piece):
        return GiveUp(_conflict_reason(course, question, reply, piece), _thinking(course))
    course.belief = course.belief.with_evidence(piece)
    _note_unknown(course, reply.wanted)
    course.scope = Description(
        kinds=reply.wanted.kinds or course.scope.kinds, colours=reply.wanted.colours or course.scope.colours
    )
    return None


def _mishear(course: _Course, answer: str) -> GiveUp | None:
    course.misheard = answer
    course.misheard_count += 1
    if course.misheard_count > 1:
        return GiveUp(
            f"I did not understand {_quoted(answer)}. I know: {_known(course.vocabulary)}.", _thinking(course)
        )
    return None


def _next_question(course: _Course) -> Question | None:
    live = course.belief.live()
    situation = Situation(course.candidates, course.belief.posterior(), live, _common_scope(course, live))
    return best_question(situation, course.vocabulary, course.questions, course.closed)


def _common_scope(course: _Course, live: Sequence[int]) -> Description:
    """What the things that are left can be called: settled words, and an appearance that they share and others lack."""
    scope = course.scope
    left = [course.candidates[i].detection for i in live]
    called = appearance_fit(scope, course.candidates) > 0.5
    rivals = [c.detection for c, is_called in zip(course.candidates, called, strict=True) if is_called]
    if not scope.kinds:
        scope = replace(scope, kinds=_shared([d.kind_probs for d in left], [d.kind for d in rivals]))
    if not scope.colours:
        scope = replace(scope, colours=_shared([d.colour_probs for d in left], [d.colour for d in rivals]))
    return scope


def _shared(left: Sequence[Mapping[str, float]], rivals: Sequence[str]) -> frozenset[str]:
    """The name that everything left surely has, when not every rival has it; else empty."""
    name = max(left[0], key=lambda name: left[0][name])
    is_shared = all(probs.get(name, 0.0) >= MIN_NAME_PROBABILITY for probs in left)
    return frozenset({name}) if is_shared and any(rival != name for rival in rivals) else frozenset()


def _conflict_reason(course: _Course, question: Question | None, reply: Reply, piece: Evidence) -> str:
    earlier = course.belief.conflicting(piece)
    is_command = earlier is not None and earlier is course.belief.evidence[0]
    said = f"you said {_quoted(piece.words)}"
    if earlier is not None and not is_command:
        return f"You said {_quoted(earlier.words)} and then {_quoted(piece.words)}: nothing I see fits both."
    if reply.kind == "neither" and question is not None:
        offered = f"I offered {join_words(question.options, 'and')}, and " if question.options else ""
        return f"Nothing that I see is left: {offered}{said}. {_in_view(course)}"
    if earlier is not None:
        return f"You asked for {_quoted(earlier.words)} and then {said}: nothing I see fits both. {_in_view(course)}"
    missing = replace(reply.wanted, kinds=reply.wanted.kinds or course.scope.kinds)
    return f"I see no {_described(missing)}: {said}. {_in_view(course)}"


def _unknown_reason(said: Description, vocabulary: Vocabulary) -> str | None:
    for part in (said, said.relation.anchor if said.relation is not None else NOTHING_SAID):
        if part.unknown_noun:
            return f"I do not know {_quoted(part.unknown_noun)}. I know: {', '.join(vocabulary.kinds)}."
        if part.unknown_colours:
            return (
                f"I do not know the colour {_quoted(part.unknown_colours[0])}. I know: {', '.join(vocabulary.colours)}."
            )
    return None


def _missing_anchor(wanted: Description, course: _Course) -> Description | None:
    """What the thing was said to be next to, when just that is not in view."""
    if wanted.relation is None:
        return None
    anchors = fit(wanted.relation.anchor, course.candidates)
    return wanted.relation.anchor if anchors.max(initial=0.0) < course.belief.config.min_fit else None


def _note_unknown(course: _Course, said: Description) -> None:
    for part in (said, said.relation.anchor if said.relation is not None else NOTHING_SAID):
        course.notes += [f"I do not know {_quoted(word)}." for word in part.unknown_modifiers]


def _preface(course: _Course) -> str:
    """What the person should hear before the first question: words that were left aside, or not understood."""
    if course.misheard:
        return f"I did not understand {_quoted(course.misheard)}. Please use one of these words. "
    is_first = len(course.belief.evidence) == 1 and not course.closed
    return " ".join(course.notes) + " " if course.notes and is_first else ""


def _thinking(course: _Course) -> str:
    live = course.belief.live() if course.candidates and course.belief.evidence else []
    names = ", ".join(_name(course.candidates[i]) for i in live)
    return " ".join([f"Fit the words: {names or 'nothing'}.", *course.notes])


def _named(course: _Course, live: Sequence[int]) -> str:
    return join_words([f"the {_name(course.candidates[i])}" for i in live], "and")


def _in_view(course: _Course) -> str:
    names = [f"a {_name(candidate)}" for candidate in course.candidates]
    return f"I see: {', '.join(names)}." if names else "I see nothing that I know."


def _name(candidate: Candidate) -> str:
    return f"{candidate.detection.colour} {candidate.detection.kind}"


def _described(said: Description, is_whole: bool = True) -> str:
    words = noun_phrase(said)
    is_more = is_whole and (said.size is not None or bool(said.ranks) or said.relation is not None)
    return f"{words} like that" if is_more and said.has_appearance else words


def _known(vocabulary: Vocabulary) -> str:
    return ", ".join((*vocabulary.kinds, *vocabulary.colours))


def _quoted(words: str) -> str:
    words = " ".join(words.split())
    return f"'{words if len(words) <= MAX_QUOTED_CHARS else words[: MAX_QUOTED_CHARS - 3] + '...'}'"
