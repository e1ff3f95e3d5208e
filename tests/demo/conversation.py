"""A small conversation of two people in the form of the data set, in sentences of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILLER = (
    "The weather has been so changeable that I never know which jacket to take along in the morning.",
    "Work was long again, and the meeting about the meeting took most of the afternoon, as ever.",
    "I watched half of a film and fell asleep on the sofa before anything had happened in it.",
    "The tram was late, then full, then late again, so I walked the last part along the canal.",
)
TOLD = {
    (1, 2): "I have signed up for a beekeeping course that begins in April.",
    (1, 5): "My grandfather left me his old violin, and I keep it under the bed.",
    (2, 3): "We adopted a three-legged greyhound and called her Saffron.",
}


def turn(session: int, place: int) -> dict[str, Any]:
    """Turn ``place`` of the session."""
    text = TOLD.get((session, place), FILLER[place % len(FILLER)])
    return {"speaker": ("Ilse", "Tomas")[place % 2], "dia_id": f"D{session}:{place}", "text": text}


def conversation(turns: int = 12) -> dict[str, Any]:
    """Two sessions of so many turns, and four questions; the last two have no evidence that could be found."""
    return {
        "speaker_a": "Ilse",
        "speaker_b": "Tomas",
        "session_1_date_time": "10:00 am on 3 February, 2024",
        "session_1": [turn(1, place) for place in range(1, turns + 1)],
        "session_2_date_time": "6:30 pm on 9 March, 2024",
        "session_2": [
            turn(2, 1) | {"text": "Look at this!", "blip_caption": "a photo of a lighthouse in the snow"},
            *(turn(2, place) for place in range(2, turns + 1)),
        ],
        "session_3_date_time": "never held",
        "qa": [
            {"question": "Who signed up for a beekeeping course?", "answer": "Ilse", "evidence": ["D1:2"], "category": 4},
            {"question": "What was the greyhound called?", "answer": "Saffron", "evidence": ["D2:3", "D"], "category": 1},
            {"question": "Who plays chess?", "adversarial_answer": "Ilse", "evidence": ["D1:1"], "category": 5},
            {"question": "What was never said?", "answer": 7, "evidence": ["D9:9"], "category": 2},
        ],
    }


def written(folder: Path, turns: int = 12) -> Path:
    """The conversation as a file."""
    path = folder / "conversation.json"
    path.write_text(json.dumps(conversation(turns)))
    return path
