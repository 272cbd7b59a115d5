"""All that people and programs do to the node between two faults."""

from __future__ import annotations

from ros2_ws.soak import episodes_people as people
from ros2_ws.soak import episodes_programs as programs
from ros2_ws.soak.episode_ends import Episode

EPISODES: tuple[Episode, ...] = (
    people.command_and_answer,
    people.clear_command,
    people.spoken,
    people.box,
    programs.goal_answered,
    programs.goal_canceled,
    programs.goal_preempted,
    programs.goal_with_picture,
    programs.goals_refused,
    programs.segment_service,
    people.wrong_answer,
    programs.nobody_answers,
    programs.answer_to_an_old_question,
    programs.answer_without_a_question,
    people.nothing_fits,
    people.odd_words,
    people.many_commands,
    people.bad_boxes,
    people.stop,
    programs.overlay_watched,
)
