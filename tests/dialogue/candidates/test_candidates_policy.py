"""The candidates policy: points at the one thing that fits, asks the best question when several do, never guesses."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icseg.detector.detector import Detection
from icseg.dialogue.actions import Answer, Ask, GiveUp
from icseg.dialogue.agent import Agent, Target
from icseg.dialogue.candidates.config import CandidatesConfig
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.dialogue.dialogue import MAX_QUESTIONS, Dialogue, Observation, Turn
from icseg.errors import Cancelled, ConfigError
from icseg.geometry import box_contains
from icseg.sim.drawn import Drawn, draw_table
from icseg.sim.things import COLOURS, KINDS
from icseg.sim.truth import SimFrame
from icseg.sim.truth_detector import TruthDetector
from icseg.sim.user import SimulatedUser, matching_ids
from icseg.types import ImageU8

SMALL_HW = (240, 320)
MUGS = [Drawn("mug", "red", 0.2), Drawn("mug", "blue", 0.5), Drawn("mug", "white", 0.8, size="large")]
TABLE = [*MUGS, Drawn("bowl", "red", 0.35, 0.5), Drawn("can", "black", 0.65, 0.5)]


class CountingDetector(TruthDetector):
    """Perfect, and counts its work."""

    def __init__(self, *frames: SimFrame) -> None:
        super().__init__(*frames)
        self.count = 0

    def detect(self, image: ImageU8) -> list[Detection]:
        self.count += 1
        return super().detect(image)


class LookingDetector(CountingDetector):
    """Sees red things only when it looks closely."""

    close_count = 0

    def detect(self, image: ImageU8) -> list[Detection]:
        return [one for one in super().detect(image) if one.colour != "red"]

    def detect_closely(self, image: ImageU8) -> list[Detection]:
        self.close_count += 1
        return TruthDetector.detect(self, image)


@dataclass
class FixedDetector:
    """Says the same of every image."""

    detections: list[Detection]
    kinds: tuple[str, ...] = KINDS
    colours: tuple[str, ...] = COLOURS

    def detect(self, image: ImageU8) -> list[Detection]:
        return list(self.detections)


@dataclass
class Course:
    """One dialogue over drawn frames, driven by an agent."""

    frames: list[SimFrame]
    command: str
    detector: object = None
    questions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = CandidatesPolicy(self.detector or TruthDetector(*self.frames))  # type: ignore[arg-type]
        self.dialogue = Dialogue(self.command, {frame.frame.index: frame.frame for frame in self.frames})
        self.agent = Agent(self.policy)

    def advance(self) -> Ask | Target | GiveUp:
        outcome = self.agent.advance(self.dialogue)
        if isinstance(outcome, Ask):
            self.questions.append(outcome.question)
        return outcome

    def say(self, *answers: str) -> Ask | Target | GiveUp:
        """Give the answers in turn; the outcome of the last."""
        outcome = self.advance()
        for answer in answers:
            assert isinstance(outcome, Ask), outcome
            outcome = self.say_next(answer)
        return outcome

    def say_next(self, answer: str) -> Ask | Target | GiveUp:
        self.agent.reply(self.dialogue, answer)
        return self.advance()

    def with_user(self, target_id: int) -> Target | GiveUp:
        user = SimulatedUser(target_id)
        outcome = self.advance()
        while isinstance(outcome, Ask):
            outcome = self.say_next(user.answer(outcome.question, self.frames[-1]))
        return outcome


def talk(command: str, things: list[Drawn] | None = None) -> Course:
    return Course([draw_table(TABLE if things is None else things)], command)


def is_on(outcome: object, thing_id: int, frame: SimFrame) -> bool:
    box = frame.box_image_px(thing_id)
    assert box is not None
    return isinstance(outcome, Target) and outcome.box_image_px == box


def test_a_question_says_which_things_it_is_about_and_a_target_what_it_is() -> None:
    t = talk("the mug")
    asked = t.advance()
    assert isinstance(asked, Ask)
    assert [choice.label for choice in asked.choices] == ["red mug", "blue mug", "white mug"]
    assert sum(choice.score for choice in asked.choices) == pytest.approx(1, abs=0.01)
    for choice in asked.choices:
        (option,) = choice.options
        assert dict(choice.attributes)["colour"] in asked.options[option]
    target = t.say_next("the blue one")
    assert isinstance(target, Target)
    assert target.label == "blue mug"
    assert target.box_image_px == asked.choices[1].box_image_px


@pytest.mark.parametrize(
    ("command", "thing_id"),
    [
        ("the red mug", 1),
        ("segment the bowl", 4),
        ("the leftmost mug", 1),
        ("the mug on the left", 1),
        ("the second mug from the right", 2),
        ("the middle mug", 2),
        ("the bigger mug", 3),
        ("the mug, not the red one, and not the blue one", 3),
        ("the white cup", 3),
        ("the tin", 5),
        ("the black thing", 5),
        ("the bowl to the left of the can", 4),
        ("the mug to the left of the bowl", 1),
        ("the can behind the white mug on the right", 5),
        ("the shiny bowl", 4),
    ],
)
def test_what_is_clear_is_not_asked(command: str, thing_id: int) -> None:
    spoken = talk(command)
    assert is_on(spoken.advance(), thing_id, spoken.frames[0])
    assert [type(turn.action) for turn in spoken.dialogue.turns] == [Answer]


@pytest.mark.parametrize(
    ("answer", "thing_id"),
    [
        ("blue", 2), ("the white one", 3), ("the one on the left", 1), ("no, the bigger one", 3),
        ("second from the right", 2), ("the last one", 3), ("2", 2), ("the middle one", 2),
        ("not the red, not the blue one", 3),
        ("the small blue one", 2), ("the mug on the left", 1), ("yes, the red one please", 1), ("the third", 3),
        ("the one to the right of the can", 3), ("I meant the blue mug", 2),
    ],
)  # fmt: skip
def test_free_answers(answer: str, thing_id: int) -> None:
    spoken = talk("the mug")
    assert is_on(spoken.say(answer), thing_id, spoken.frames[0])
    assert spoken.questions == ["Which mug: the red one, the blue one, or the white one?"]


def test_belief_is_kept_over_turns() -> None:
    things = [Drawn("mug", colour, x, y) for colour, x, y in [
        ("red", 0.1, 0.9), ("red", 0.5, 0.4), ("blue", 0.3, 0.6), ("blue", 0.9, 0.7)]]  # fmt: skip
    spoken = talk("the mug", things)
    outcome = spoken.say("not the blue ones", "the right one")
    assert is_on(outcome, 2, spoken.frames[0])


def test_options_are_those_that_are_left() -> None:
    things = [Drawn("mug", "red", 0.1 + 0.2 * place) for place in range(4)]
    spoken = talk("the mug", things)
    spoken.say("not the leftmost")
    assert spoken.questions[1] == "Which mug, counting from the left: the second, the third, or the fourth?"
    assert is_on(spoken.say_next("third"), 3, spoken.frames[0])


def test_a_question_that_brings_nothing_is_followed_by_another_attribute() -> None:
    spoken = talk("the mug")
    spoken.say("I can't tell")
    assert spoken.questions == [
        "Which mug: the red one, the blue one, or the white one?",
        "Which mug: the leftmost, the middle one, or the rightmost?",
    ]


def test_a_delegated_choice_is_made_and_said() -> None:
    spoken = talk("the mug")
    assert isinstance(spoken.say("whichever"), Target)
    action = spoken.dialogue.turns[-1].action
    assert isinstance(action, Answer)
    assert "left the choice to me" in action.thinking


@pytest.mark.parametrize(
    ("command", "answers", "reason"),
    [
        ("the stapler", [], "I do not know 'stapler'. I know: mug, bowl, bottle, can, box, ball, plate, spoon."),
        ("the mug next to the stapler", [], "I do not know 'stapler'."),
        ("the pink mug", [], "I do not know the colour 'pink'. I know: red, orange,"),
        ("the green mug", [], "I see no green mug. I see: a red mug,"),
        ("the plate", [], "I see no plate."),
        ("the mug next to the plate", [], "I see no plate."),
        ("the fifth mug from the left", [], "I see no mug like that."),
        ("hello", [], "I heard no thing named in 'hello'."),
        ("never mind", [], "cancelled by the person"),
        ("the mug", ["never mind"], "cancelled by the person"),
        ("the mug", ["neither"], "Nothing that I see is left: I offered the red one, the blue one, and the white one"),
        ("the mug", ["the green one"], "I see no green mug: you said 'the green one'. I see: a red mug,"),
        ("the mug", ["the bowl"], "You asked for 'the mug' and then you said 'the bowl'"),
        ("the mug", ["not the red one", "the red one"], "You said 'not the red one' and then 'the red one'"),
        ("the mug", ["blorp", "blorp blorp"], "I did not understand 'blorp blorp'. I know: mug, bowl,"),
    ],
)
def test_giving_up_says_why(command: str, answers: list[str], reason: str) -> None:
    outcome = talk(command).say(*answers)
    assert isinstance(outcome, GiveUp)
    assert outcome.reason.startswith(reason)


def test_nothing_in_view() -> None:
    outcome = talk("the mug", []).advance()
    assert isinstance(outcome, GiveUp)
    assert outcome.reason == "I see no mug. I see nothing that I know."


def test_words_that_are_not_understood_are_asked_for_again_once() -> None:
    spoken = talk("the mug")
    spoken.say("the stapler")
    assert spoken.questions[1] == (
        "I did not understand 'the stapler'. Please use one of these words. "
        "Which mug: the red one, the blue one, or the white one?"
    )
    assert is_on(spoken.say_next("red"), 1, spoken.frames[0])


def test_unknown_modifiers_are_told_and_do_not_narrow() -> None:
    spoken = talk("the shiny mug")
    spoken.advance()
    assert spoken.questions == ["I do not know 'shiny'. Which mug: the red one, the blue one, or the white one?"]


def test_kinds_are_asked_for_when_only_the_colour_is_said() -> None:
    spoken = talk("the red thing")
    assert is_on(spoken.say("the bowl"), 4, spoken.frames[0])
    assert spoken.questions == ["Which red thing: the mug or the bowl?"]


def test_an_unsure_detector_leads_to_a_question() -> None:
    def detection(x: float, red: float) -> Detection:
        return Detection((x, 100, x + 50, 160), 0.9, {"mug": 1.0}, {"red": red, "orange": 1 - red})

    frame = draw_table([])
    sure = Course([frame], "the red mug", FixedDetector([detection(50, 0.97), detection(300, 0.03)]))
    assert isinstance(sure.advance(), Target)
    unsure = Course([frame], "the red mug", FixedDetector([detection(50, 0.6), detection(300, 0.4)]))
    assert isinstance(unsure.advance(), Ask)


def seen_as(detections: list[Detection], command: str) -> Course:
    return Course([draw_table([], hw=(480, 640))], command, FixedDetector(detections))


def test_things_that_may_be_called_so_are_told_apart_by_place() -> None:
    """Cut off by the border a box looks as much like a bottle: the row of boxes does not surely hold it."""
    doubtful = Detection((0, 130, 40, 280), 0.9, {"bottle": 0.48, "box": 0.33, "can": 0.19}, {"purple": 1.0})
    clear = Detection((466, 97, 542, 190), 0.9, {"box": 1.0}, {"purple": 1.0})
    dialogue = seen_as([doubtful, clear], "the purple box")
    assert isinstance(dialogue.advance(), Ask)
    assert dialogue.questions == ["Which purple box: the left one or the right one?"]
    outcome = dialogue.say_next("left")
    assert isinstance(outcome, Target)
    assert outcome.box_image_px == doubtful.box_image_px


def test_only_the_newest_frame_is_looked_at_before_the_first_question() -> None:
    frames = [draw_table(TABLE, index=index) for index in range(6)]
    detector = CountingDetector(*frames)
    spoken = Course(frames, "the mug", detector)
    assert isinstance(spoken.advance(), Ask)
    assert detector.count == 1
    spoken.say_next("blue")
    assert detector.count == CandidatesConfig().keyframes


def test_the_keyframe_is_the_one_that_shows_the_target_best() -> None:
    frames = [draw_table([Drawn("mug", "red", 0.5, y)], index=index) for index, y in enumerate((0.9, 0.95, 0.8))]
    outcome = Course(frames, "the mug").advance()
    assert isinstance(outcome, Target)
    assert outcome.keyframe.index == 1
    assert is_on(outcome, 1, frames[1])
    still = [draw_table([Drawn("mug", "red", 0.5)], index=index) for index in range(3)]
    outcome = Course(still, "the mug").advance()
    assert isinstance(outcome, Target)
    assert outcome.keyframe.index == 2


def test_a_4k_frame_s_box_and_point_come_through_to_the_last_digit() -> None:
    """A thousandth of the picture, in which a language model speaks, is 4 px here."""
    box, point = (1001.5, 703.25, 1033.75, 741.0), (1017.125, 720.5)
    mug = Detection(box, 0.9, {"mug": 1.0}, {"red": 1.0}, point)
    outcome = Course([draw_table([], hw=(2160, 3840))], "the mug", FixedDetector([mug])).advance()
    assert isinstance(outcome, Target)
    assert outcome.box_image_px == box
    assert outcome.point_image_px == point


def test_a_detection_that_hangs_over_the_border_is_cut_to_the_picture() -> None:
    mug = Detection((-3.5, 400.25, 50.0, 482.5), 0.9, {"mug": 1.0}, {"red": 1.0}, (-1.0, 481.0))
    outcome = seen_as([mug], "the mug").advance()
    assert isinstance(outcome, Target)
    assert outcome.box_image_px == (0.0, 400.25, 50.0, 480.0)
    assert outcome.point_image_px == (0.0, 479.5)


def test_the_policy_holds_no_dialogue() -> None:
    first, second = talk("the mug"), talk("the mug", MUGS[:2])
    policy = CandidatesPolicy(TruthDetector(*first.frames, *second.frames))
    first.agent = second.agent = Agent(policy)
    first.advance()
    second.advance()
    assert is_on(first.say_next("white"), 3, first.frames[0])
    assert is_on(second.say_next("the second"), 2, second.frames[0])
    assert policy.next_action(second.dialogue).action == second.dialogue.turns[-1].action


def test_timings_and_the_end_of_questions() -> None:
    spoken = talk("the mug")
    output = spoken.policy.next_action(spoken.dialogue)
    assert set(output.timings_ms) == {"detect", "decide"}
    refused = Turn(output.action, fault="No questions are left.", observation=Observation("error", "No questions."))
    spoken.dialogue.turns.append(refused)
    assert isinstance(spoken.policy.next_action(spoken.dialogue).action, GiveUp)


def test_cancelled_and_empty_dialogues() -> None:
    spoken = talk("the mug")
    with pytest.raises(Cancelled):
        spoken.policy.next_action(Dialogue("the mug", spoken.dialogue.frames, is_cancelled=lambda: True))
    with pytest.raises(ValueError, match="frames"):
        spoken.policy.next_action(Dialogue("the mug", {}))
    with pytest.raises(ConfigError):
        CandidatesConfig(keyframes=0)


@st.composite
def scenes(draw: st.DrawFn, most: int = 9) -> list[Drawn]:
    """Things on different cells of a slanting 7 x 3 grid: any two differ clearly across and along the table."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True))
    cells = draw(st.lists(st.integers(0, 20), min_size=1, max_size=most, unique=True))
    return [
        Drawn(
            draw(st.sampled_from(kinds)),
            draw(st.sampled_from(COLOURS)),
            0.08 + 0.12 * (cell % 7) + 0.04 * (cell // 7),
            0.42 + 0.19 * (cell // 7) + 0.025 * (cell % 7),
            draw(st.sampled_from(["small", "large"])),
        )
        for cell in cells
    ]


def _visible(frame: SimFrame) -> list[int]:
    return [thing_id for thing_id in frame.things if frame.mask(thing_id).any()]


@given(things=scenes(), data=st.data())
@settings(max_examples=40, deadline=None)
def test_perfect_eyes_and_true_answers_always_lead_to_the_target(things: list[Drawn], data: st.DataObject) -> None:
    frame = draw_table(things, hw=SMALL_HW)
    target_id = data.draw(st.sampled_from(_visible(frame)))
    target = frame.things[target_id]
    command = data.draw(
        st.sampled_from(
            [f"the {target.kind}", f"the {target.colour} {target.kind}", "the thing", f"the {target.colour} one"]
        )
    )
    fitting = matching_ids(command, frame)
    spoken = Course([frame], command)
    outcome = spoken.with_user(target_id)
    assert is_on(outcome, target_id, frame), (outcome, spoken.questions)
    assert len(set(spoken.questions)) == len(spoken.questions) <= MAX_QUESTIONS
    # One thing fits: no question. Several fit: never a target without one.
    assert (len(spoken.questions) == 0) == (len(fitting) == 1)
    assert len(spoken.questions) <= math.ceil(math.log2(len(fitting)))


ANSWER_WORDS = [
    "red", "blue", "the left one", "no", "yes", "neither", "second", "not", "bigger", "mug", "stapler", "any one of",
    "middle", "from the right", ",", "behind the bowl", "don't know", "7", "last", "nearest",
]  # fmt: skip
any_words = st.text(max_size=40) | st.lists(st.sampled_from(ANSWER_WORDS), max_size=6).map(" ".join)


@given(
    things=scenes(6), command=any_words, answers=st.lists(any_words, min_size=8, max_size=8), seed=st.integers(0, 99)
)
@settings(max_examples=50, deadline=None)
def test_any_words_end_in_a_legal_action(things: list[Drawn], command: str, answers: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = draw_table(things, hw=SMALL_HW)
    noisy = [
        Detection(seen.box_image_px, rng.uniform(0.3, 1), _spread(rng, KINDS), _spread(rng, COLOURS))
        for seen in TruthDetector(frame).detect(frame.frame.image)
    ]
    spoken = Course([frame], command, FixedDetector(noisy))
    outcome = spoken.advance()
    for answer in answers:
        if not isinstance(outcome, Ask):
            break
        outcome = spoken.say_next(answer.strip() or "hm")
    assert isinstance(outcome, Target | GiveUp)
    assert not any(turn.fault for turn in spoken.dialogue.turns)
    if isinstance(outcome, GiveUp):
        assert outcome.reason
    else:
        assert box_contains((0, 0, SMALL_HW[1], SMALL_HW[0]), outcome.point_image_px)


def _spread(rng: np.random.Generator, names: tuple[str, ...]) -> dict[str, float]:
    return dict(zip(names, rng.dirichlet(np.full(len(names), 0.2)).tolist(), strict=True))


def test_the_newest_frame_is_looked_at_closely_and_once() -> None:
    frames = [draw_table(MUGS, index=index) for index in range(4)]
    detector = LookingDetector(*frames)
    talk = Course(frames, "the mug", detector)
    outcome = talk.say("the red one")
    assert isinstance(outcome, Target)
    assert detector.close_count == 1
    glance = CandidatesPolicy(LookingDetector(*frames), CandidatesConfig(looks_closely=False))
    action = glance.next_action(Dialogue("the red mug", {frame.frame.index: frame.frame for frame in frames})).action
    assert isinstance(action, GiveUp)
