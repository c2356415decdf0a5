"""Channel: the damage of a text as the tables that the search reads."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.inference.selection import UNREAD_SYMBOL
from ..text.vocabulary import Vocabulary
from .damage import SKIPPED, TYPO_KINDS, Cost, Damage, is_letter, unread_log_p

NEVER: Cost = (-math.inf, 0.0)


class Channel(NamedTuple):
    """The damage as tables for `Selection`; each distinct symbol of a damaged text is a kind."""

    first: NDArray[np.int32]  # (kinds + 1,): where a kind's candidates start
    plain: NDArray[np.int32]  # (kinds,): how many of them come before the substitutions
    symbols: NDArray[np.int32]  # the candidates' ids, UNREAD_SYMBOL for a symbol that the model lacks, and
    costs: NDArray[np.float64]  # (n, 2): their costs
    skip: NDArray[np.float64]  # (kinds, 2): the costs of a symbol in excess
    letters: NDArray[np.uint8]  # (kinds,): which may be typos
    inserted: NDArray[np.int32]  # the ids of symbols that may be missing,
    insert_costs: NDArray[np.float64]  # (n, 2): what that costs,
    near_letters: NDArray[np.uint8]  # and whether they are missing next to letters only
    swap: NDArray[np.float64]  # (2,)
    kept: float  # the log-probability of no typo
    unread: float  # the log-probability of a symbol that the model lacks
    openings: NDArray[np.int32]  # (kinds + 1,): where the replacements that begin with a kind start
    replacements: NDArray[np.int32]  # (n, 3): the next two kinds, -1 for none, and the first step
    replacement_costs: NDArray[np.float64]  # (n, 2)
    steps: NDArray[np.int32]  # (n, 3): a symbol or SKIPPED, how many symbols it takes, and the obligation after it

    @classmethod
    def of(cls, damage: Damage, vocabulary: Vocabulary, codes: list[int]) -> Channel:
        """Return the tables for texts with these distinct codes."""
        known = vocabulary.codes.tolist()
        confusions = damage.confusions or {}
        index = {code: i for i, code in enumerate(known)}
        same: dict[int | str, list[int]] = {}
        for i, code in enumerate(known):
            same.setdefault(damage.fold(code, vocabulary), []).append(i)
        alphabet: dict[bool, list[int]] = {True: [], False: []}  # the ids of upper-case letters, and of all others
        for i, code in enumerate(known):
            if is_letter(code, vocabulary):
                alphabet[chr(code).isupper()].append(i)
        letters = sorted(alphabet[True] + alphabet[False])
        rate = damage.typos / TYPO_KINDS
        kept = math.log1p(-damage.typos)
        rows = list[list[tuple[int, Cost]]]()
        plain = list[int]()
        skip = list[Cost]()
        marked = list[bool]()
        for code in codes:
            plain_ids = range(len(known)) if code == damage.gap else same.get(damage.fold(code, vocabulary), [])
            row = [(i, damage.refolding(code, known[i])) for i in plain_ids]
            if not row or (code not in index and code != damage.gap):
                stays = UNREAD_SYMBOL if vocabulary.unknown is None else vocabulary.unknown
                row.append((stays, (damage.staying(code, index), 0.0)))
            marked.append(damage.is_marked(code, vocabulary))
            changed: dict[int, Cost] = {}  # by symbol; SKIPPED: the symbol is in excess
            if marked[-1]:
                row = [(i, (cost + kept, toll)) for i, (cost, toll) in row]
                others = letters if damage.case else alphabet[chr(code).isupper()]
                others = [i for i in others if i not in plain_ids]
                changed = dict.fromkeys(others, damage.cost(rate / max(len(others), 1), "typos"))
                changed[SKIPPED] = damage.cost(rate / (len(others) + 1), "typos")
            for i, cost in damage.confusions_of(code, index, vocabulary):
                changed[i] = max(cost, changed.get(i, NEVER), key=lambda cost: cost[0] - cost[1])
            skip.append(changed.pop(SKIPPED, NEVER))
            plain.append(len(row))
            rows.append(row + sorted(changed.items()))
        missing = [(i, *damage.cost(rate, "typos"), 1) for i in letters] if rate else []
        spaces = damage.spaces or confusions.get((), {}).get((ord(" "),), 0.0)
        space = index.get(ord(" "))
        if spaces and space is not None:
            missing.append((space, *damage.cost(spaces, "spaces"), 0))
        inserted = np.array(missing).reshape(-1, 4)
        table = np.array([(i, *cost) for row in rows for i, cost in row]).reshape(-1, 3)
        openings, replacements, replacement_costs, steps = damage.replacements(codes, index)
        return cls(
            first=np.cumsum([0, *map(len, rows)], dtype=np.int32),
            plain=np.array(plain, np.int32),
            symbols=table[:, 0].astype(np.int32),
            costs=table[:, 1:].copy(),
            skip=np.array(skip).reshape(-1, 2),
            letters=np.array(marked, np.uint8),
            inserted=inserted[:, 0].astype(np.int32),
            insert_costs=inserted[:, 1:3].copy(),
            near_letters=inserted[:, 3].astype(np.uint8),
            swap=np.array(damage.cost(rate, "typos") if rate else NEVER),
            kept=kept,
            unread=unread_log_p(vocabulary),
            openings=openings,
            replacements=replacements,
            replacement_costs=replacement_costs,
            steps=steps,
        )
